//! gRPC through the gateway: HTTP/2 on both sides, and trailers.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, Version};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::time::timeout;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::bytes_codec::BytesCodec;
use crate::process::{Gateway, PATIENCE};
use crate::registry::{closed, serve};

/// Echoes a message and states how the call ended in trailers, with one of its own; or sends one message and nothing more.
async fn upstream() -> String {
    let echo = async |request: Request| {
        assert_eq!(request.version(), Version::HTTP_2);
        assert_eq!(request.headers()["te"], "trailers");
        let message = request.into_body().collect().await.unwrap().to_bytes();
        let trailers = HeaderMap::from_iter(
            [("grpc-status", "0"), ("x-length", "9")]
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())),
        );
        respond(vec![Frame::data(message), Frame::trailers(trailers)], false)
    };
    let watch = async |_: Request| respond(vec![Frame::data(Bytes::from_static(b"\0\0\0\0\x03one"))], true);
    serve(
        Router::new()
            .route("/demo.Demo/Echo", post(echo))
            .route("/demo.Demo/Watch", post(watch)),
    )
    .await
}

fn respond(frames: Vec<Frame<Bytes>>, goes_on: bool) -> Response {
    let frames = tokio_stream::iter(frames.into_iter().map(Ok::<_, std::convert::Infallible>));
    let body = match goes_on {
        true => Body::new(StreamBody::new(frames.chain(futures_util::stream::pending()))),
        false => Body::new(StreamBody::new(frames)),
    };
    Response::builder()
        .header("content-type", "application/grpc")
        .body(body)
        .unwrap()
}

async fn client(gateway: &Gateway) -> Grpc<Channel> {
    let endpoint = Endpoint::from_shared(gateway.gateway.clone()).unwrap();
    let mut client = Grpc::new(endpoint.connect().await.unwrap());
    client.ready().await.unwrap();
    client
}

fn presenting(token: Option<&str>) -> tonic::Request<Vec<u8>> {
    let mut request = tonic::Request::new(b"a message".to_vec());
    if let Some(token) = token {
        let authorization = format!("Claw {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", authorization);
    }
    request
}

async fn echo(client: &mut Grpc<Channel>, token: Option<&str>) -> Result<tonic::Response<Vec<u8>>, Status> {
    let path = http::uri::PathAndQuery::from_static("/demo.Demo/Echo");
    client.ready().await.unwrap();
    client.unary(presenting(token), path, BytesCodec).await
}

#[tokio::test]
async fn calls_and_streams_pass_and_end_with_a_status() {
    let gateway = Gateway::start(&["--upstream", &upstream().await]).await.ready().await;
    let mallory = gateway.register().await;
    let mut client = client(&gateway).await;
    let response = echo(&mut client, Some(&mallory.ait)).await.unwrap();
    assert_eq!(response.metadata().get("x-length").unwrap(), "9", "a trailer arrives");
    assert_eq!(response.into_inner(), b"a message");

    let path = http::uri::PathAndQuery::from_static("/demo.Demo/Watch");
    client.ready().await.unwrap();
    let stream = client
        .server_streaming(presenting(Some(&mallory.ait)), path, BytesCodec)
        .await;
    let mut stream = stream.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap(), b"one");
    gateway.revoke(&mallory.id, "").await;
    let cut = timeout(PATIENCE, stream.message()).await.expect("it ends").unwrap_err();
    assert_eq!(
        (cut.code(), cut.message()),
        (Code::PermissionDenied, "the credential was revoked")
    );

    let refused = echo(&mut client, Some(&mallory.ait)).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::Unauthenticated, "the credential was revoked")
    );
    for token in [None, Some("no token")] {
        assert_eq!(
            echo(&mut client, token).await.unwrap_err().code(),
            Code::Unauthenticated
        );
    }
}

#[tokio::test]
async fn an_upstream_that_is_away_is_unavailable() {
    let gateway = Gateway::start(&["--upstream", &closed().await]).await.ready().await;
    let alice = gateway.register().await;
    let mut client = client(&gateway).await;
    let failed = echo(&mut client, Some(&alice.ait)).await.unwrap_err();
    assert_eq!(failed.code(), Code::Unavailable);
}

async fn fail(request: Request) -> Response {
    let _read = request.into_body().collect().await;
    // Its connection ends without an answer.
    panic!("the upstream fails")
}

/// In headers alone, the status of a call that has run would make clients with a retry policy call again.
#[tokio::test]
async fn an_upstream_that_fails_when_it_has_read_the_call_is_not_called_again() {
    let upstream = serve(Router::new().route("/demo.Demo/Echo", post(fail))).await;
    let gateway = Gateway::start(&["--upstream", &upstream]).await.ready().await;
    let alice = gateway.register().await;
    let channel = Endpoint::from_shared(gateway.gateway.clone())
        .unwrap()
        .connect()
        .await
        .unwrap();
    let mut call = http::Request::post(format!("{}/demo.Demo/Echo", gateway.gateway))
        .body(tonic::body::Body::empty())
        .unwrap();
    call.headers_mut()
        .insert("content-type", "application/grpc".parse().unwrap());
    call.headers_mut().insert("te", "trailers".parse().unwrap());
    call.headers_mut()
        .insert("authorization", format!("Claw {}", alice.ait).parse().unwrap());
    let response = tower::ServiceExt::oneshot(channel, call).await.unwrap();
    assert!(!response.headers().contains_key("grpc-status"), "{response:?}");
    let trailers = response.into_body().collect().await.unwrap();
    assert_eq!(trailers.trailers().unwrap()["grpc-status"], "14");
}
