//! What several modules need.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use tower::{Service, ServiceExt, service_fn};
use tower_layer::Layer;
use tower_revocation::{ConcernCode, Credential, EventSink, Identify, Key, RevocationLayer, RevocationList, Timestamp};

/// Takes the subject from `x-subject`, several separated by spaces, and the issue time from `x-iat`.
pub(crate) fn by_header(request: &Request<String>) -> Option<Credential> {
    let header = |name| request.headers().get(name)?.to_str().ok();
    let mut credential = Credential::new();
    credential.extend(header("x-subject")?.split(' ').map(Key::subject));
    Some(match header("x-iat").and_then(|iat| iat.parse().ok()) {
        Some(secs) => credential.with_issued_at(Timestamp::from_unix_secs(secs)),
        None => credential,
    })
}

pub(crate) type ByHeader = fn(&Request<String>) -> Option<Credential>;

/// A layer that identifies by [`by_header`], with an empty list installed.
pub(crate) fn fresh_pair() -> (RevocationLayer<ByHeader>, EventSink) {
    let (layer, sink) = RevocationLayer::pair(by_header as ByHeader);
    sink.install(list_of_now()).unwrap();
    (layer, sink)
}

/// An empty list, signed just now.
pub(crate) fn list_of_now() -> RevocationList {
    RevocationList::builder(Timestamp::now()).build()
}

/// Sends a request through `layer` over a service that answers 200.
pub(crate) async fn send<I, R>(
    layer: &RevocationLayer<I, R>,
    request: Request<String>,
) -> Response<tower_revocation::ResponseBody<http_body_util::Full<Bytes>>>
where
    I: Identify<Request<String>> + Clone,
    R: Clone
        + tower_revocation::respond::Respond<
            Request<String>,
            Response<http_body_util::Full<Bytes>>,
            Response = Response<tower_revocation::ResponseBody<http_body_util::Full<Bytes>>>,
        >,
{
    let ok = service_fn(|_request: Request<String>| async {
        Ok::<_, Infallible>(Response::new(http_body_util::Full::from("ok")))
    });
    let mut service = layer.layer(ok);
    match service.ready().await.unwrap().call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// The status of a request that presents these subjects.
pub(crate) async fn status_of<I>(layer: &RevocationLayer<I>, subjects: &str) -> u16
where
    I: Identify<Request<String>> + Clone,
{
    send(layer, presenting(subjects)).await.status().as_u16()
}

/// The log of this thread.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Collects it, until the guard is dropped.
    pub(crate) fn collect() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        (log, log_to(subscriber))
    }

    /// How often it has these words since the last call of [`lines`](Self::lines).
    pub(crate) fn count(&self, words: &str) -> usize {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.matches(words).count()
    }

    /// The lines since the last call.
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().split_off(0)).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the status says of a concern, if anything.
pub(crate) fn words(sink: &EventSink, code: ConcernCode) -> Option<String> {
    let mut concerns = sink.status().concerns.into_iter();
    concerns
        .find(|concern| concern.code == code)
        .map(|concern| concern.words)
}

fn log_to(subscriber: impl Into<tracing::Dispatch>) -> tracing::subscriber::DefaultGuard {
    // With one dispatcher alone, tracing-core 0.1.36 takes whatever thread comes by a line of the log first for the one that decides
    // whether it is wanted by anybody. Other tests' threads want nothing.
    static OTHERS: OnceLock<[tracing::Dispatch; 2]> = OnceLock::new();
    OTHERS.get_or_init(|| [(); 2].map(|()| tracing_subscriber::registry().into()));
    tracing::dispatcher::set_default(&subscriber.into())
}

/// Gives away a value once. Clones of it share the value, as services have to be cloned.
pub(crate) fn once<T>(value: T) -> impl FnMut() -> T + Clone {
    let value = Arc::new(Mutex::new(Some(value)));
    move || value.lock().unwrap().take().unwrap()
}

/// An empty body with something for the layer to look at.
#[derive(Clone, Debug)]
pub(crate) struct Carrying<T>(pub(crate) T);

impl<T> Body for Carrying<T> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

/// Waits until something is so.
#[cfg_attr(
    not(feature = "source"),
    expect(dead_code, reason = "nothing else happens by itself")
)]
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    until_within(Duration::from_secs(60), what, condition).await;
}

/// So, for so long.
#[cfg_attr(
    not(feature = "source"),
    expect(dead_code, reason = "nothing else happens by itself")
)]
pub(crate) async fn until_within(within: Duration, what: &str, condition: impl Fn() -> bool) {
    let poll = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(within, poll).await;
    assert!(in_time.is_ok(), "not in time: {what}");
}

/// A request that presents these subjects.
pub(crate) fn presenting(subjects: &str) -> Request<String> {
    Request::builder()
        .header("x-subject", subjects)
        .body(String::new())
        .unwrap()
}
