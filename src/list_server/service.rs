//! The tower service.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use tokio::time::Instant;
use tower_service::Service;

use crate::crl::list_source::ListSource;
use crate::crl::open::MEDIA_TYPE;
use crate::jose::PublicKey;
use crate::list_server::payload::ListPayload;
use crate::list_server::producer::{ListProducer, Settings, SignedList};
use crate::list_server::signer::Signer;
use crate::list_server::status::ListServerStatus;

/// Serves the signed list of what a source has in force, and the keys that verify it. A cheap clone.
///
/// It answers `GET` and `HEAD` at two paths: `/`, the list in the [open format](crate::crl::open), and `/jwks.json`, the keys as a JWK set.
/// Mount it at any place by the router's way of nesting, or set other [paths](Self::with_paths).
///
/// - **Made when it is asked for**, [once a second](super::DEFAULT_LOOK_GAP) at most, and less often if that takes long: whoever asks in between gets
///   the list of the last look. Between requests nothing happens.
/// - **`ETag`**, weak: equal as long as the source says the same, on every replica and after a restart. `If-None-Match` with it is
///   answered by 304. A list that is sent whole is issued as of the last look.
/// - **503** with `Retry-After` if the source fails, panics, hangs or says more than [fits](Self::with_size_cap): an old list would be taken for a new one.
/// - **Rotation**: see [`rotate`](Self::rotate).
///
/// It authenticates nobody. What it serves has the ids of sessions and tokens in it: put your own authentication in front, or bind it where
/// only gateways come.
pub struct ListServer<S> {
    producer: Arc<ListProducer<S>>,
    settings: Arc<Settings>,
}

impl<S: ListSource> ListServer<S> {
    /// Creates a service of the lists of `issuer`, such as `https://auth.example.com`: gateways compare it to the letter.
    #[must_use]
    pub fn new(issuer: impl Into<String>, signer: Signer, source: S) -> Self {
        Self {
            producer: Arc::new(ListProducer::new(signer, source)),
            settings: Arc::new(Settings::new(issuer.into())),
        }
    }

    /// Sets the paths of the list and of the keys. Defaults to `/` and `/jwks.json`.
    #[must_use]
    pub fn with_paths(self, list: impl Into<String>, keys: impl Into<String>) -> Self {
        self.with(|settings| (settings.list_path, settings.keys_path) = (list.into(), keys.into()))
    }

    /// Sets how long a list may be fetched or confirmed. Defaults to [`DEFAULT_LIFETIME`](super::DEFAULT_LIFETIME).
    ///
    /// # Security
    ///
    /// Whoever stands between a gateway and this service can keep an old list in force for as long.
    #[must_use]
    pub fn with_lifetime(self, lifetime: Duration) -> Self {
        self.with(|settings| settings.lifetime = lifetime)
    }

    /// Sets how long a key is published before it signs. Defaults to [`DEFAULT_KEY_OVERLAP`](super::DEFAULT_KEY_OVERLAP).
    #[must_use]
    pub fn with_key_overlap(self, overlap: Duration) -> Self {
        self.with(|settings| settings.key_overlap = overlap)
    }

    /// Sets how far apart the source is asked at least. Defaults to [`DEFAULT_LOOK_GAP`](super::DEFAULT_LOOK_GAP).
    #[must_use]
    pub fn with_look_gap(self, gap: Duration) -> Self {
        self.with(|settings| settings.look_gap = gap)
    }

    /// Sets how long the source may take to answer. Defaults to [`DEFAULT_TIMEOUT`](crate::crl::DEFAULT_TIMEOUT).
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        self.with(|settings| settings.timeout = timeout)
    }

    /// Sets how large a list may become, in bytes. Defaults to [`DEFAULT_SIZE_CAP`](crate::crl::DEFAULT_SIZE_CAP), which is what gateways
    /// read by default.
    #[must_use]
    pub fn with_size_cap(self, bytes: usize) -> Self {
        self.with(|settings| settings.size_cap = bytes)
    }

    /// Publishes another key beside those that sign: the next one, where a restart changes keys, or the one before. Until it is
    /// [withdrawn](Self::withdraw).
    #[must_use]
    pub fn with_published_key(self, key: PublicKey) -> Self {
        self.producer.ring.publish(key);
        self
    }

    /// Publishes another key from now on, which takes over after the [overlap](Self::with_key_overlap). The one that signed until then stays
    /// published until all that it signed has [expired](Self::with_lifetime).
    ///
    /// Where each deployment restarts the process, do the same in three of them: publish the next key, let it sign and publish the old
    /// one, and leave the old one out a day later.
    pub fn rotate(&self, next: Signer) {
        let at = Instant::now() + self.settings.key_overlap;
        self.producer.ring.rotate(next, at, self.settings.lifetime);
    }

    /// Stops publishing a key that does not sign. Gateways believe it until they fetch the keys anew.
    pub fn withdraw(&self, kid: &str) {
        self.producer.ring.withdraw(kid);
    }

    /// Returns what an operator asks about it: what the last list says, how old it is, and why the last look failed if it did.
    #[must_use]
    pub fn status(&self) -> ListServerStatus {
        self.producer.status()
    }

    fn with(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(Arc::make_mut(&mut self.settings));
        self
    }
}

impl<S> Clone for ListServer<S> {
    fn clone(&self) -> Self {
        Self {
            producer: Arc::clone(&self.producer),
            settings: Arc::clone(&self.settings),
        }
    }
}

impl<S> fmt::Debug for ListServer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListServer")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl<S: ListSource, B> Service<Request<B>> for ListServer<S> {
    type Response = Response<ListPayload>;
    type Error = Infallible;
    type Future = ListServerFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, _body) = request.into_parts();
        let Self { producer, settings } = self.clone();
        let answer = async move {
            let path = match head.uri.path() {
                "" => "/",
                path => path,
            };
            let is_list = path == settings.list_path;
            let mut response = if !is_list && path != settings.keys_path {
                said(StatusCode::NOT_FOUND, "there is nothing here\n")
            } else if ![Method::GET, Method::HEAD].contains(&head.method) {
                let mut response = said(StatusCode::METHOD_NOT_ALLOWED, "lists and keys are fetched by GET\n");
                response
                    .headers_mut()
                    .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            } else if is_list {
                // A task of its own: a look that began goes on, whoever gives up waiting.
                let list = tokio::spawn(async move { producer.list(&settings).await }).await;
                list_answer(list.ok().flatten(), &head.headers)
            } else {
                keys_answer(producer.ring.published(Instant::now(), settings.lifetime))
            };
            if head.method == Method::HEAD {
                let length = HeaderValue::from(response.body().remaining());
                if response.status() != StatusCode::NOT_MODIFIED {
                    response.headers_mut().insert(CONTENT_LENGTH, length);
                }
                *response.body_mut() = ListPayload::default();
            }
            response
        };
        ListServerFuture(Box::pin(answer))
    }
}

/// Resolves to the answer.
///
/// # Panics
///
/// Panics outside a tokio runtime with its clock enabled.
pub struct ListServerFuture(Pin<Box<dyn Future<Output = Response<ListPayload>> + Send>>);

impl Future for ListServerFuture {
    type Output = Result<Response<ListPayload>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context).map(Ok)
    }
}

impl fmt::Debug for ListServerFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListServerFuture").finish_non_exhaustive()
    }
}

fn list_answer(list: Option<SignedList>, asked: &HeaderMap) -> Response<ListPayload> {
    let Some(SignedList { head, body, etag }) = list else {
        let mut response = said(StatusCode::SERVICE_UNAVAILABLE, "the list cannot be made just now\n");
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        return response;
    };
    let mut response = Response::new(ListPayload::default());
    if is_known(&etag, asked) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        *response.body_mut() = ListPayload::new(head, body);
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    }
    let headers = response.headers_mut();
    headers.insert(ETAG, etag);
    // A cache may store it, and has to ask each time: a list that a cache holds back revokes nobody.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn keys_answer(keys: String) -> Response<ListPayload> {
    let mut response = Response::new(ListPayload::from(keys));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Whether a request says that it has this already ([RFC 9110 §13.1.2](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2)): weak ones are
/// compared.
fn is_known(etag: &HeaderValue, asked: &HeaderMap) -> bool {
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let own = strong(etag.to_str().unwrap_or_default());
    let mut stated = asked
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    stated.any(|tags| tags.trim() == "*" || tags.split(',').any(|tag| strong(tag) == own))
}

fn said(status: StatusCode, words: &str) -> Response<ListPayload> {
    let mut response = Response::new(ListPayload::from(words.to_owned()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
