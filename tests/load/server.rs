//! A server of event streams behind the layer, for HTTP/1.1 and HTTP/2.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower::service_fn;
use tower_layer::Layer;
use tower_revocation::{Credential, EventSink, Key, RevocationLayer, RevocationList, Timestamp};

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) sink: EventSink,
    shared: Arc<Shared>,
}

/// The streams' other ends, by the number that a client gave its stream.
#[derive(Default)]
struct Shared {
    senders: Mutex<Vec<(usize, mpsc::UnboundedSender<Bytes>)>>,
    polls: AtomicUsize,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let by_number = |request: &Request<Incoming>| Some(credential(number(request)?));
        let (layer, sink) = RevocationLayer::pair(by_number);
        sink.install(RevocationList::builder(Timestamp::now()).build()).unwrap();
        let shared = Arc::<Shared>::default();
        let events = {
            let shared = Arc::clone(&shared);
            service_fn(move |request: Request<Incoming>| {
                let (sender, events) = mpsc::unbounded_channel();
                shared.senders.lock().unwrap().push((number(&request).unwrap(), sender));
                let shared = Arc::clone(&shared);
                let response = Response::builder().header("content-type", "text/event-stream");
                std::future::ready(Ok::<_, Infallible>(response.body(Events { events, shared }).unwrap()))
            })
        };
        let service = TowerToHyperService::new(layer.layer(events));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let service = service.clone();
                tokio::spawn(async move {
                    let mut server = auto::Builder::new(TokioExecutor::new());
                    server.http2().max_concurrent_streams(10_000);
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, sink, shared }
    }

    /// Says something on every stream that is open.
    pub(crate) fn say(&self, event: &str) {
        let event = Bytes::from(format!("data: {event}\n\n"));
        let mut senders = self.shared.senders.lock().unwrap();
        senders.retain(|(_, sender)| sender.send(event.clone()).is_ok());
    }

    /// How often streams were polled.
    pub(crate) fn polls(&self) -> usize {
        self.shared.polls.load(Ordering::Relaxed)
    }
}

/// What stream `number` presents: a token and a subject, as a Clawdentity agent does.
fn credential(number: usize) -> Credential {
    Credential::from([Key::token(&format!("token {number}")), subject(number)])
}

pub(crate) fn subject(number: usize) -> Key {
    Key::subject(&format!("did:cdi:registry.example.com:agent:{number:026}"))
}

fn number(request: &Request<Incoming>) -> Option<usize> {
    request.uri().path().trim_start_matches('/').parse().ok()
}

/// Events that come as they are sent, and never end.
struct Events {
    events: mpsc::UnboundedReceiver<Bytes>,
    shared: Arc<Shared>,
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.shared.polls.fetch_add(1, Ordering::Relaxed);
        self.events
            .poll_recv(context)
            .map(|event| Some(Ok(Frame::data(event?))))
    }
}
