//! How a response that is cut looks to real clients, over real sockets.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::routing::get;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::BroadcastStream;
use tonic::body::Body as GrpcBody;
use tonic::server::NamedService;
use tower::{Layer, Service, service_fn};
use tower_revocation::identify::Jwt;
use tower_revocation::{Cut, EventSink, Key, Revocation, RevocationLayer, identify};

use crate::bytes_codec::BytesCodec;
use crate::support::list_of_now;

/// `{"alg":"none"}.{"sub":"mallory"}` and `{"alg":"none"}.{"sub":"alice"}`.
const MALLORY: &str = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYWxsb3J5In0.x";
const ALICE: &str = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.x";

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn pair() -> (RevocationLayer<Jwt>, EventSink) {
    let (layer, sink) = RevocationLayer::pair(identify::jwt(AUTHORIZATION, "Bearer"));
    sink.install(list_of_now()).unwrap();
    (layer, sink)
}

fn revoke_mallory(sink: &EventSink) {
    sink.apply(Revocation::block(Key::subject("mallory")))
        .unwrap()
        .wait()
        .unwrap();
}

/// What a test says on every stream at once.
type Channel = Arc<broadcast::Sender<Bytes>>;

/// A server of HTTP/1.1 and HTTP/2 whose `/events` never end.
async fn serve(layer: RevocationLayer<Jwt>) -> (SocketAddr, Channel) {
    let channel: Channel = Arc::new(broadcast::channel(16).0);
    let events = async |State(channel): State<Channel>| {
        let pieces = BroadcastStream::new(channel.subscribe());
        Sse::new(pieces.map(|piece| piece.map(|piece| Event::default().data(String::from_utf8_lossy(&piece)))))
    };
    let router: Router = Router::new()
        .route("/events", get(events))
        .with_state(Arc::clone(&channel))
        .layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(router.clone());
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    (address, channel)
}

fn events(address: SocketAddr, token: &str) -> Request<Empty<Bytes>> {
    let uri: Uri = format!("http://{address}/events").parse().unwrap();
    let request = Request::get(uri).header("host", address.to_string());
    request.header(AUTHORIZATION, token).body(Empty::new()).unwrap()
}

/// What comes over a plain socket: a piece, and after the revocation whatever comes until the response ends or the
/// connection does.
async fn all_that_comes(address: SocketAddr, channel: &Channel, sink: &EventSink) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /events HTTP/1.1\r\nhost: {address}\r\nauthorization: {MALLORY}\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut seen = String::new();
    let mut read_until = async |end: &str| {
        let mut more = [0; 4096];
        while !seen.contains(end) {
            let len = timeout(PATIENCE, socket.read(&mut more)).await.unwrap().unwrap();
            if len == 0 {
                break;
            }
            seen.push_str(std::str::from_utf8(&more[..len]).unwrap());
        }
        seen.clone()
    };
    read_until("\r\n\r\n").await;
    say_hello(channel).await;
    read_until("data: hello\n\n\r\n").await;
    revoke_mallory(sink);
    read_until("\r\n0\r\n\r\n").await
}

async fn say_hello(channel: &Channel) {
    while channel.receiver_count() == 0 {
        tokio::task::yield_now().await;
    }
    channel.send("hello".into()).unwrap();
}

#[tokio::test]
async fn http1_closes_the_connection_without_the_last_chunk() {
    let (layer, sink) = pair();
    let (address, channel) = serve(layer).await;
    let seen = all_that_comes(address, &channel, &sink).await;
    assert!(
        seen.starts_with("HTTP/1.1 200") && seen.contains("data: hello\n\n"),
        "{seen}"
    );
    assert!(!seen.contains("\r\n0\r\n"), "{seen}");
    assert_eq!(channel.receiver_count(), 0, "the handler's stream is gone");
}

#[tokio::test]
async fn http1_sends_the_last_chunk_if_the_host_says_so() {
    let (layer, sink) = pair();
    let (address, channel) = serve(layer.with_cut(Cut::End)).await;
    let seen = all_that_comes(address, &channel, &sink).await;
    assert!(
        seen.contains("data: hello\n\n") && seen.ends_with("\r\n0\r\n\r\n"),
        "{seen}"
    );
}

#[tokio::test]
async fn an_http1_client_sees_an_error_and_not_an_end() {
    let (layer, sink) = pair();
    let (address, channel) = serve(layer).await;
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut client, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut response = client.send_request(events(address, MALLORY)).await.unwrap();
    say_hello(&channel).await;
    assert_eq!(next(&mut response).await.unwrap().unwrap(), "data: hello\n\n");
    revoke_mallory(&sink);
    let error = timeout(PATIENCE, response.into_body().collect())
        .await
        .unwrap()
        .unwrap_err();
    assert!(source(&error).contains("EOF"), "{error:?}");
}

fn source(error: &hyper::Error) -> String {
    std::error::Error::source(error)
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// The next event of a stream.
async fn next(response: &mut Response<Incoming>) -> Option<Result<Bytes, hyper::Error>> {
    let frame = timeout(PATIENCE, response.frame()).await.expect("something comes")?;
    Some(frame.map(|frame| frame.into_data().unwrap_or_default()))
}

#[tokio::test]
async fn http2_resets_the_stream_and_no_other() {
    let (layer, sink) = pair();
    let (address, channel) = serve(layer).await;
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut to_mallory = client.send_request(events(address, MALLORY)).await.unwrap();
    let mut to_alice = client.send_request(events(address, ALICE)).await.unwrap();
    while sink.status().in_flight.waiting < 2 {
        tokio::task::yield_now().await;
    }
    channel.send("one".into()).unwrap();
    assert_eq!(next(&mut to_mallory).await.unwrap().unwrap(), "data: one\n\n");
    revoke_mallory(&sink);
    let error = next(&mut to_mallory).await.unwrap().unwrap_err();
    assert!(source(&error).contains("internal error"), "{error:?}");
    channel.send("two".into()).unwrap();
    assert_eq!(next(&mut to_alice).await.unwrap().unwrap(), "data: one\n\n");
    assert_eq!(next(&mut to_alice).await.unwrap().unwrap(), "data: two\n\n");
    // The connection lives on, and the next request is refused.
    let refused = client.send_request(events(address, MALLORY)).await.unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(sink.status().in_flight.cut, 1);
}

#[tokio::test]
async fn http2_ends_the_stream_if_the_host_says_so() {
    let (layer, sink) = pair();
    let (address, _channel) = serve(layer.with_cut(Cut::End)).await;
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    let response = client.send_request(events(address, MALLORY)).await.unwrap();
    while sink.status().in_flight.waiting < 1 {
        tokio::task::yield_now().await;
    }
    revoke_mallory(&sink);
    let whole = timeout(PATIENCE, response.into_body().collect()).await.unwrap();
    assert!(whole.unwrap().to_bytes().is_empty());
}

/// A gRPC service with one method, which streams what the channel says.
#[derive(Clone)]
struct Ticker(Channel);

impl NamedService for Ticker {
    const NAME: &'static str = "demo.Demo";
}

impl Service<Request<GrpcBody>> for Ticker {
    type Response = Response<GrpcBody>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<GrpcBody>) -> Self::Future {
        let channel = Arc::clone(&self.0);
        Box::pin(async move {
            let method = service_fn(move |_: tonic::Request<Vec<u8>>| {
                let pieces = BroadcastStream::new(channel.subscribe());
                let messages = pieces.map(|piece| Ok::<_, tonic::Status>(piece.unwrap().to_vec()));
                async { Ok::<_, tonic::Status>(tonic::Response::new(messages)) }
            });
            Ok(tonic::server::Grpc::new(BytesCodec)
                .server_streaming(method, request)
                .await)
        })
    }
}

#[tokio::test]
async fn a_grpc_stream_ends_with_its_own_status() {
    let (layer, sink) = pair();
    let channel: Channel = Arc::new(broadcast::channel(16).0);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = Ticker(Arc::clone(&channel));
    tokio::spawn(async move {
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        tonic::transport::Server::builder()
            .layer(layer)
            .add_service(service)
            .serve_with_incoming(incoming)
            .await
    });
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
    let connection = endpoint.connect().await.unwrap();
    let open = async |token: &'static str| {
        let mut client = tonic::client::Grpc::new(connection.clone());
        client.ready().await.unwrap();
        let mut request = tonic::Request::new(Vec::new());
        request.metadata_mut().insert("authorization", token.parse().unwrap());
        let path = http::uri::PathAndQuery::from_static("/demo.Demo/Tick");
        client.server_streaming(request, path, BytesCodec).await
    };
    let mut to_mallory = open(MALLORY).await.unwrap().into_inner();
    let mut to_alice = open(ALICE).await.unwrap().into_inner();
    channel.send("tick".into()).unwrap();
    assert_eq!(to_mallory.message().await.unwrap().unwrap(), b"tick");
    revoke_mallory(&sink);
    let status = timeout(PATIENCE, to_mallory.message()).await.unwrap().unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (tonic::Code::PermissionDenied, "the credential was revoked")
    );
    channel.send("tock".into()).unwrap();
    for expected in [b"tick", b"tock"] {
        assert_eq!(to_alice.message().await.unwrap().unwrap(), expected);
    }
    assert_eq!(open(MALLORY).await.unwrap_err().code(), tonic::Code::Unauthenticated);
}

/// A service of plain hyper, without axum's own boxes: a download of known length that is cut.
#[tokio::test]
async fn a_download_of_known_length_comes_up_short() {
    let (layer, sink) = pair();
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<Bytes>();
    let receiver = Arc::new(std::sync::Mutex::new(Some(receiver)));
    let download = service_fn(move |_: Request<Incoming>| {
        let receiver = receiver.lock().unwrap().take().unwrap();
        let pieces = tokio_stream::wrappers::UnboundedReceiverStream::new(receiver);
        let body =
            http_body_util::StreamBody::new(pieces.map(|piece| Ok::<_, Infallible>(hyper::body::Frame::data(piece))));
        let response = Response::builder().header("content-length", "10").body(body);
        std::future::ready(Ok::<_, Infallible>(response.unwrap()))
    });
    let service = TowerToHyperService::new(layer.layer(download));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let server = hyper::server::conn::http1::Builder::new();
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
    });
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut client, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut response = client.send_request(events(address, MALLORY)).await.unwrap();
    sender.send("12345".into()).unwrap();
    assert_eq!(next(&mut response).await.unwrap().unwrap(), "12345");
    revoke_mallory(&sink);
    assert!(next(&mut response).await.unwrap().is_err());
    assert!(sender.is_closed());
}
