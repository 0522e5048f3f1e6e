//! Cloudflare's API, as far as it is needed here.

use std::error::Error;
use std::fmt::Write;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body::Body;
use http_body_util::Full;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::time::timeout;
use tower_service::Service;

use crate::common::bounded_body::{BELIEVED, Unread, read_bounded};
use crate::source::cloudflare::wire::{Envelope, Pull, Pulled, Settlement, dead_letter, settlements};
use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;

/// Any tower HTTP client that is cheap to clone: hyper-util's, or one wrapped in layers of the host's. Implemented for all of
/// them.
pub trait ApiClient:
    Service<
        Request<Full<Bytes>>,
        Response = Response<<Self as ApiClient>::Body>,
        Error: Into<Box<dyn Error + Send + Sync>>,
        Future: Send,
    > + Clone
    + Send
    + 'static
{
    /// The body of its responses.
    type Body: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send;
}

impl<C, B> ApiClient for C
where
    C: Service<Request<Full<Bytes>>, Response = Response<B>, Error: Into<Box<dyn Error + Send + Sync>>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send,
{
    type Body = B;
}

/// The queues of one account. A cheap clone.
#[derive(Clone)]
pub(super) struct Api<C> {
    pub(super) client: C,
    pub(super) address: Arc<ApiAddress>,
}

/// Where the API is, and by which right it is used.
#[derive(Clone)]
pub(super) struct ApiAddress {
    pub(super) base: String,
    pub(super) account: String,
    /// `None` if it cannot be sent in a header.
    pub(super) authorization: Option<HeaderValue>,
}

impl ApiAddress {
    pub(super) fn new(account: String, token: &str) -> Self {
        // Files and environments like to add a line break.
        let authorization = HeaderValue::try_from(format!("Bearer {}", token.trim())).ok();
        Self {
            base: "https://api.cloudflare.com/client/v4".to_owned(),
            account,
            authorization: authorization.map(|mut value| {
                value.set_sensitive(true);
                value
            }),
        }
    }
}

impl<C: ApiClient> Api<C> {
    /// Leases messages of a queue.
    pub(super) fn pull(
        &self,
        queue: &str,
        batch_size: usize,
        visibility_timeout: Duration,
    ) -> impl Future<Output = Result<Pulled, Failure>> + Send + use<C> {
        let pull = Pull::new(batch_size, visibility_timeout);
        let body = serde_json::to_vec(&pull).expect("numbers serialize");
        let answer = self.post(queue, "messages/pull", body, LARGEST_BATCH);
        async {
            let pulled = answer.await?;
            pulled.ok_or_else(|| Failure::passing(SourceError::new("the answer to a pull has no result")))
        }
    }

    /// Tells what became of messages.
    pub(super) fn settle(
        &self,
        queue: &str,
        all: &[Settlement],
    ) -> impl Future<Output = Result<(), Failure>> + Send + use<C> {
        let answer = self.post::<IgnoredAny>(queue, "messages/ack", settlements(all), LARGEST_RECEIPT);
        async { answer.await.map(drop) }
    }

    /// Publishes a dead letter to a queue.
    pub(super) fn publish(
        &self,
        queue: &str,
        letter: &DeadLetter,
    ) -> impl Future<Output = Result<(), Failure>> + Send + use<C> {
        let answer = self.post::<IgnoredAny>(queue, "messages", dead_letter(letter), LARGEST_RECEIPT);
        async { answer.await.map(drop) }
    }

    fn post<T: DeserializeOwned>(
        &self,
        queue: &str,
        what: &'static str,
        body: Vec<u8>,
        cap: usize,
    ) -> impl Future<Output = Result<Option<T>, Failure>> + Send + use<C, T> {
        let attempt = format!("POST queues/{queue}/{what}");
        let request = self.request(queue, what, body);
        let client = self.client.clone();
        async move {
            let exchange = timeout(EXCHANGE_TIMEOUT, exchange(client, request?, cap, &attempt));
            exchange.await.unwrap_or_else(|_late| {
                let error = format!("{attempt}: no complete answer within {EXCHANGE_TIMEOUT:?}");
                Err(Failure::passing(SourceError::new(error)))
            })
        }
    }

    fn request(&self, queue: &str, what: &str, body: Vec<u8>) -> Result<Request<Full<Bytes>>, Failure> {
        let ApiAddress {
            base,
            account,
            authorization,
        } = &*self.address;
        let uri = format!("{base}/accounts/{account}/queues/{queue}/{what}");
        let uri = Uri::try_from(uri).map_err(|cause| {
            Failure::passing(SourceError::new("the ids of account and queue make no URI").because(cause))
        })?;
        let authorization = authorization
            .clone()
            .ok_or_else(|| Failure::passing(SourceError::new("the API token cannot be sent in a header")))?;
        let mut request = Request::new(Full::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        request.headers_mut().insert(AUTHORIZATION, authorization);
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(request)
    }
}

async fn exchange<C: ApiClient, T: DeserializeOwned>(
    mut client: C,
    request: Request<Full<Bytes>>,
    cap: usize,
    attempt: &str,
) -> Result<Option<T>, Failure> {
    let failed =
        |cause: C::Error| Failure::passing(SourceError::new(format!("{attempt}: request failed")).because(cause));
    poll_fn(|context| client.poll_ready(context)).await.map_err(failed)?;
    let response = client.call(request).await.map_err(failed)?;
    let (head, body) = response.into_parts();
    let body = read_bounded(body, cap, BELIEVED).await.map_err(|unread| {
        Failure::passing(match unread {
            Unread::Broken(cause) => {
                SourceError::new(format!("{attempt}: the answer cannot be read to its end")).because(cause)
            }
            Unread::TooLarge => SourceError::new(format!("{attempt}: the answer is larger than {cap} bytes")),
        })
    })?;
    if !head.status.is_success() {
        return Err(Failure::of(attempt, head.status, &head.headers, &body));
    }
    match serde_json::from_slice::<Envelope<T>>(&body) {
        Ok(envelope) if envelope.success == Some(false) => Err(Failure::of(attempt, head.status, &head.headers, &body)),
        Ok(envelope) => Ok(envelope.result),
        Err(cause) => Err(Failure::passing(
            SourceError::new(format!("{attempt}: the answer makes no sense")).because(cause),
        )),
    }
}

/// Why an exchange failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: SourceError,
    /// How long Cloudflare asked to be left alone.
    pub(super) retry_after: Option<Duration>,
    /// Whether the same request would only fail again.
    pub(super) is_final: bool,
}

impl Failure {
    const fn passing(error: SourceError) -> Self {
        Self {
            error,
            retry_after: None,
            is_final: false,
        }
    }

    /// A refusal, in Cloudflare's own words if there are any.
    fn of(attempt: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let mut words = format!("{attempt}: status {}", status.as_u16());
        let envelope = serde_json::from_slice::<Envelope<IgnoredAny>>(body).ok();
        let faults = envelope.and_then(|envelope| envelope.errors).unwrap_or_default();
        if let Some(fault) = faults.into_iter().next() {
            let message: String = fault.message.unwrap_or_default().chars().take(LONGEST_FAULT).collect();
            let _ = write!(words, ": {message} ({})", fault.code.unwrap_or_default());
        }
        let is_passing = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        Self {
            error: SourceError::new(words),
            // Cloudflare states seconds.
            retry_after: headers
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.trim().parse().ok())
                .map(|secs| Duration::from_secs(secs).min(LONGEST_PAUSE)),
            is_final: !is_passing,
        }
    }
}

/// For all of an exchange, from the client's readiness to the last byte.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(10);

/// 100 messages of 128 KB, in base64, and then some.
const LARGEST_BATCH: usize = 32 * 1024 * 1024;

const LARGEST_RECEIPT: usize = 256 * 1024;

/// For how long Cloudflare is left alone, whatever it asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// How many characters of what Cloudflare says are kept.
const LONGEST_FAULT: usize = 200;
