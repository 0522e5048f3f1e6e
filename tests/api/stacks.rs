//! The layer in the stacks people have: axum, hyper, tonic, `ServiceBuilder`.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};
use tower_revocation::identify::Jwt;
use tower_revocation::{BodyError, EventSink, Key, Revocation, RevocationLayer, identify};

use crate::bytes_codec::BytesCodec;
use crate::support::{list_of_now, once};

/// `{"alg":"none"}.{"sub":"mallory"}` and `{"alg":"none"}.{"sub":"alice"}`.
const MALLORY: &str = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYWxsb3J5In0.x";
const ALICE: &str = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.x";

fn pair() -> (RevocationLayer<Jwt>, EventSink) {
    let (layer, sink) = RevocationLayer::pair(identify::jwt(AUTHORIZATION, "Bearer"));
    sink.install(list_of_now()).unwrap();
    sink.apply(Revocation::block(Key::subject("mallory")))
        .unwrap()
        .wait()
        .unwrap();
    (layer, sink)
}

async fn get_with(address: std::net::SocketAddr, path: &str, token: &str) -> (u16, Bytes) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let request = Request::get(format!("http://{address}{path}")).header(AUTHORIZATION, token);
    let response = client.request(request.body(Empty::new()).unwrap()).await.unwrap();
    (
        response.status().as_u16(),
        response.into_body().collect().await.unwrap().to_bytes(),
    )
}

async fn listener() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[tokio::test]
async fn sits_in_an_axum_router_as_layer_and_as_route_layer() {
    for router in [
        Router::new().route("/", get(|| async { "hello" })).layer(pair().0),
        Router::new()
            .route("/", get(|| async { "hello" }))
            .route_layer(pair().0),
    ] {
        let (listener, address) = listener().await;
        tokio::spawn(async move { axum::serve(listener, router).await });
        assert_eq!(get_with(address, "/", ALICE).await, (200, Bytes::from("hello")));
        assert_eq!(get_with(address, "/", MALLORY).await.0, 401);
    }
}

#[tokio::test]
async fn sits_in_a_hyper_server_and_between_other_layers() {
    let (layer, _sink) = pair();
    let hello = service_fn(|_: Request<hyper::body::Incoming>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("hello"))))
    });
    let service = ServiceBuilder::new()
        .concurrency_limit(100)
        .layer(layer)
        .timeout(Duration::from_secs(60))
        .service(hello);
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    assert_eq!(get_with(address, "/", ALICE).await, (200, Bytes::from("hello")));
    assert_eq!(get_with(address, "/", MALLORY).await.0, 401);
}

#[tokio::test]
async fn sits_in_a_tonic_server_and_speaks_grpc() {
    let (layer, _sink) = pair();
    let (listener, address) = listener().await;
    let routes = tonic::service::Routes::default();
    tokio::spawn(async move {
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        tonic::transport::Server::builder()
            .layer(layer)
            .add_routes(routes)
            .serve_with_incoming(incoming)
            .await
    });
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
    let channel = channel.connect().await.unwrap();
    let call = |token: &'static str| {
        let mut client = tonic::client::Grpc::new(channel.clone());
        async move {
            client.ready().await.unwrap();
            let mut request = tonic::Request::new(Vec::new());
            request.metadata_mut().insert("authorization", token.parse().unwrap());
            let path = http::uri::PathAndQuery::from_static("/demo.Demo/Call");
            client.unary(request, path, BytesCodec).await.unwrap_err().code()
        }
    };
    assert_eq!(
        call(ALICE).await,
        tonic::Code::Unimplemented,
        "admitted, to a server without methods"
    );
    assert_eq!(call(MALLORY).await, tonic::Code::Unauthenticated);
}

/// A service of which tonic knows the name, as generated code has it.
#[cfg(feature = "tonic")]
#[derive(Clone)]
struct Demo;

#[cfg(feature = "tonic")]
impl tonic::server::NamedService for Demo {
    const NAME: &'static str = "demo.Demo";
}

#[cfg(feature = "tonic")]
impl tower::Service<Request<tonic::body::Body>> for Demo {
    type Response = Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: Request<tonic::body::Body>) -> Self::Future {
        std::future::ready(Ok(tonic::Status::already_exists("here").into_http()))
    }
}

#[cfg(feature = "tonic")]
#[tokio::test]
async fn one_service_of_several_is_wrapped_and_keeps_its_name() {
    let (layer, _sink) = pair();
    let wrapped = tower::Layer::layer(&layer, Demo);
    let mut routes = tonic::service::Routes::new(wrapped).prepare().into_axum_router();
    let status = async |routes: &mut Router, path: &str, token: &str| {
        let request = Request::post(path)
            .header(AUTHORIZATION, token)
            .header("content-type", "application/grpc");
        let request = request.body(axum::body::Body::empty()).unwrap();
        let response = tower::Service::call(routes, request).await.unwrap();
        response.headers()["grpc-status"].to_str().unwrap().to_owned()
    };
    assert_eq!(
        status(&mut routes, "/demo.Demo/Call", ALICE).await,
        "6",
        "the service's own answer"
    );
    assert_eq!(status(&mut routes, "/demo.Demo/Call", MALLORY).await, "16");
    assert_eq!(
        status(&mut routes, "/other.Demo/Call", MALLORY).await,
        "12",
        "not the wrapped one"
    );
}

/// tower-http's `TimeoutLayer` and others answer by a default body.
#[tokio::test(start_paused = true)]
async fn a_layer_around_it_may_answer_by_itself() {
    let (layer, _sink) = pair();
    let slow = service_fn(|_: Request<String>| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("too late"))))
    });
    let timeout =
        tower_http::timeout::TimeoutLayer::with_status_code(http::StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(1));
    let service = ServiceBuilder::new().layer(timeout).layer(layer).service(slow);
    let request = Request::get("/")
        .header(AUTHORIZATION, ALICE)
        .body(String::new())
        .unwrap();
    let response = tower::ServiceExt::oneshot(service, request).await.unwrap();
    assert_eq!(response.status(), 504);
    assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
}

/// A handler that does its work, and whose caller is revoked meanwhile.
async fn done_and_revoked(sink: EventSink) -> Result<Response<tonic::body::Body>, Infallible> {
    let revoked = sink.apply(Revocation::block(Key::subject("alice")));
    revoked.unwrap().wait().unwrap();
    Ok(tonic::Status::ok("done").into_http())
}

/// A call whose credential is revoked while its handler runs: headers, and behind them trailers with a code that no wrapper that
/// renews tokens takes for "try again".
#[tokio::test]
async fn a_withheld_call_of_grpc_is_committed() {
    let (layer, sink) = pair();
    let service = service_fn(move |_: Request<tonic::body::Body>| done_and_revoked(sink.clone()));
    let request = Request::post("/demo.Demo/Pay")
        .header(AUTHORIZATION, ALICE)
        .header("content-type", "application/grpc");
    let request = request.body(tonic::body::Body::empty()).unwrap();
    let response = tower::ServiceExt::oneshot(tower::Layer::layer(&layer, service), request)
        .await
        .unwrap();
    assert!(
        !response.headers().contains_key("grpc-status"),
        "{:?}",
        response.headers()
    );
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["grpc-status"], "7");
}

#[tokio::test]
async fn a_tonic_client_sees_that_its_call_was_withheld() {
    let (layer, sink) = pair();
    let (listener, address) = listener().await;
    let service = service_fn(move |_: Request<tonic::body::Body>| done_and_revoked(sink.clone()));
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = ServiceBuilder::new()
            .layer(layer)
            .map_request(|request: Request<hyper::body::Incoming>| request.map(tonic::body::Body::new))
            .service(service);
        let server = auto::Builder::new(TokioExecutor::new());
        let _ = server
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
            .await;
    });
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
    let mut client = tonic::client::Grpc::new(channel.connect().await.unwrap());
    client.ready().await.unwrap();
    let mut request = tonic::Request::new(Vec::new());
    request.metadata_mut().insert("authorization", ALICE.parse().unwrap());
    let path = http::uri::PathAndQuery::from_static("/demo.Demo/Pay");
    let status = client.unary(request, path, BytesCodec).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::PermissionDenied);
    assert!(status.message().ends_with("it may have been applied"), "{status}");
}

/// What a gRPC-Web client gets of a stream that is cut after its first message.
async fn cut_web_stream(content_type: &'static str, message: &'static [u8]) -> Result<Bytes, BodyError> {
    use futures_util::StreamExt;
    let (layer, sink) = pair();
    let first = futures_util::stream::iter([Ok::<_, Infallible>(http_body::Frame::data(Bytes::from_static(message)))]);
    let body = http_body_util::StreamBody::new(first.chain(futures_util::stream::pending()));
    let mut body = once(body);
    let service = service_fn(move |_: Request<String>| {
        let response = Response::builder().header("content-type", content_type);
        let response = response.body(body()).unwrap();
        async move { Ok::<_, Infallible>(response) }
    });
    let request = Request::post("/demo.Demo/Watch")
        .header(AUTHORIZATION, ALICE)
        .header("content-type", content_type);
    let request = request.body(String::new()).unwrap();
    let response = tower::ServiceExt::oneshot(tower::Layer::layer(&layer, service), request)
        .await
        .unwrap();
    let mut body = response.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, message);
    sink.apply(Revocation::block(Key::subject("alice")))
        .unwrap()
        .wait()
        .unwrap();
    body.collect().await.map(http_body_util::Collected::to_bytes)
}

/// Without it npm `grpc-web` in Chromium says `end`: a stream that was cut for a whole one.
#[tokio::test]
async fn a_stream_of_grpc_web_that_is_cut_ends_with_its_status() {
    use base64::Engine;
    let last = cut_web_stream("application/grpc-web+proto", b"\0\0\0\0\x03one")
        .await
        .unwrap();
    assert_eq!((last[0], usize::from(last[4])), (0x80, last.len() - 5));
    // Not `UNAUTHENTICATED`, upon which clients that renew their tokens call again: a call that was cut has begun.
    assert!(last[5..].starts_with(b"grpc-status: 7\r\n"), "{last:?}");
    let text = cut_web_stream("application/grpc-web-text", b"AAAAAANvbmU=")
        .await
        .unwrap();
    assert_eq!(
        base64::engine::general_purpose::STANDARD.decode(text).unwrap(),
        last[..]
    );
}

/// connect-es calls an extra frame of trailers an error.
#[tokio::test]
async fn a_stream_of_grpc_web_whose_trailers_were_sent_ends_with_those() {
    for (content_type, sent) in [
        ("application/grpc-web+proto", &b"\x80\0\0\0\x10grpc-status: 0\r\n"[..]),
        ("application/grpc-web-text", b"gAAAABBncnBjLXN0YXR1czogMA0K"),
    ] {
        assert_eq!(cut_web_stream(content_type, sent).await.unwrap(), "", "{content_type}");
    }
}

/// In the midst of a message, ours would be a part of it.
#[tokio::test]
async fn a_stream_of_grpc_web_that_is_cut_within_a_message_breaks_off() {
    let cut = cut_web_stream("application/grpc-web+proto", b"\0\0\0\0\x03on").await;
    assert!(cut.unwrap_err().cut().is_some());
}

/// salvo's adapter for tower asks this of a body.
#[test]
fn an_error_of_the_body_is_an_error() {
    fn asked_by_salvo<B>()
    where
        B: http_body::Body + Send + Sync + 'static,
        B::Data: Into<Bytes> + Send + std::fmt::Debug + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
    }

    asked_by_salvo::<tower_revocation::ResponseBody<Full<Bytes>>>();
}
