//! Connect, the third protocol of gRPC's family: how it is refused, withheld and cut.

use std::convert::Infallible;
use std::task::Poll;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Builder;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::Value;
use tower::{ServiceExt, service_fn};
use tower_layer::Layer;
use tower_revocation::{Cut, EventSink, Key, LastWords, Revocation, RevocationLayer, Running, identify};

use crate::support::list_of_now;

/// `{"alg":"none"}.{"sub":"mallory"}`.
const MALLORY: &str = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYWxsb3J5In0.x";

/// When mallory is revoked.
#[derive(Clone, Copy, PartialEq)]
enum When {
    Before,
    InTheHandler,
    InTheBody,
    /// Never: no list is there.
    Unknown,
}

fn revoke(sink: &EventSink) {
    sink.apply(Revocation::block(Key::subject("mallory")))
        .unwrap()
        .wait()
        .unwrap();
}

/// What mallory gets from a handler that answers with one piece, in the content type of the request; and whether its end was an error.
async fn ask(request: Builder, when: When, cut: Cut) -> (http::response::Parts, Bytes, bool) {
    let (layer, sink) = RevocationLayer::pair(identify::jwt(AUTHORIZATION, "Bearer"));
    if when != When::Unknown {
        sink.install(list_of_now()).unwrap();
    }
    if when == When::Before {
        revoke(&sink);
    }
    let handler = service_fn(move |request: Request<String>| {
        let sink = sink.clone();
        let mut pieces = [PIECE].into_iter();
        async move {
            if when == When::InTheHandler {
                revoke(&sink);
            }
            let body = StreamBody::new(futures_util::stream::poll_fn(move |_| match pieces.next() {
                Some(piece) => Poll::Ready(Some(Ok::<_, Infallible>(Frame::data(Bytes::from_static(piece))))),
                None => {
                    revoke(&sink);
                    Poll::Pending
                }
            }));
            let mut response = Response::new(body);
            if let Some(kind) = request.headers().get(CONTENT_TYPE) {
                response.headers_mut().insert(CONTENT_TYPE, kind.clone());
            }
            Ok::<_, Infallible>(response)
        }
    });
    let layer = layer.with_cut(cut).with_running(Running::Drop);
    let request = request.header(AUTHORIZATION, MALLORY).body(String::new()).unwrap();
    let (parts, mut body) = layer.layer(handler).oneshot(request).await.unwrap().into_parts();
    let mut all = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => all.extend_from_slice(&frame.into_data().expect("no trailers")),
            Err(_) => return (parts, all.into(), true),
        }
    }
    (parts, all.into(), false)
}

fn unary(kind: &str) -> Builder {
    Request::post("/demo.Demo/Call")
        .header(CONTENT_TYPE, kind)
        .header("connect-protocol-version", "1")
}

fn unary_by_get() -> Builder {
    Request::get("/demo.Demo/Call?connect=v1&encoding=json&message=%7B%7D")
}

fn stream(kind: &str) -> Builder {
    Request::post("/demo.Demo/Follow").header(CONTENT_TYPE, kind)
}

/// The code and the message of an error.
fn error(error: &Value) -> (&str, &str) {
    (error["code"].as_str().unwrap(), error["message"].as_str().unwrap())
}

/// The error in an end-stream message.
fn end_of_stream(message: &[u8]) -> Value {
    let (&[flag, a, b, c, d], text) = message.split_first_chunk().unwrap();
    assert_eq!((flag, u32::from_be_bytes([a, b, c, d]) as usize), (0x02, text.len()));
    let mut said: Value = serde_json::from_slice(text).unwrap();
    said["error"].take()
}

/// A whole message, as streams have them.
const PIECE: &[u8] = b"\0\0\0\0\x05piece";

const REVOKED: (&str, &str) = ("unauthenticated", "the credential was revoked");
/// Not `unauthenticated`, upon which clients call again: what was called has begun.
const CUT: (&str, &str) = ("permission_denied", "the credential was revoked");
const MAY_HAVE_BEEN_APPLIED: &str =
    "the credential was revoked while the request was handled: it may have been applied";

/// With another content type than just that, connect-go and connect-es look no further than at the status.
#[tokio::test]
async fn a_unary_call_is_refused_in_json_with_the_status_and_the_headers_of_http() {
    for request in [unary("application/proto"), unary("application/json"), unary_by_get()] {
        let (parts, body, _) = ask(request, When::Before, Cut::Abort).await;
        assert_eq!(parts.status, StatusCode::UNAUTHORIZED);
        assert!(parts.headers.contains_key(WWW_AUTHENTICATE));
        assert_eq!(parts.headers[CONTENT_TYPE], "application/json");
        assert_eq!(error(&serde_json::from_slice(&body).unwrap()), REVOKED);
    }
    let (parts, body, _) = ask(unary("application/proto"), When::Unknown, Cut::Abort).await;
    assert_eq!(parts.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(parts.headers.contains_key(RETRY_AFTER));
    assert_eq!(error(&serde_json::from_slice(&body).unwrap()).0, "unavailable");
    let plain = Request::post("/").header(CONTENT_TYPE, "application/json");
    let (parts, ..) = ask(plain, When::Before, Cut::Abort).await;
    assert_eq!(parts.headers[CONTENT_TYPE], "application/problem+json");
}

/// By another HTTP status than 200 a stream's clients lose the message.
#[tokio::test]
async fn a_stream_is_refused_by_its_last_message() {
    for (kind, answered) in [
        ("application/connect+proto", "application/connect+proto"),
        ("Application/Connect+JSON; charset=utf-8", "application/connect+json"),
        ("application/connect+thrift", "application/connect+thrift"),
    ] {
        for (when, expected) in [
            (When::Before, REVOKED),
            (When::InTheHandler, ("permission_denied", MAY_HAVE_BEEN_APPLIED)),
            (
                When::Unknown,
                ("unavailable", "revocation cannot be checked at present"),
            ),
        ] {
            let (parts, body, is_error) = ask(stream(kind), when, Cut::Abort).await;
            assert_eq!((parts.status, is_error), (StatusCode::OK, false));
            assert_eq!(parts.headers[CONTENT_TYPE], answered);
            assert_eq!(error(&end_of_stream(&body)), expected);
        }
    }
}

#[tokio::test]
async fn a_unary_call_that_is_withheld_is_told_that_it_may_have_been_applied() {
    for request in [unary("application/json"), unary_by_get()] {
        let (parts, body, _) = ask(request, When::InTheHandler, Cut::Abort).await;
        assert_eq!(parts.status, StatusCode::FORBIDDEN);
        assert_eq!(parts.headers[CONTENT_TYPE], "application/json");
        let said: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(error(&said), ("permission_denied", MAY_HAVE_BEEN_APPLIED));
    }
}

const ALL_CUTS: [Cut; 3] = [
    Cut::Abort,
    Cut::End,
    Cut::With(&[
        LastWords::new("application/json", "\n"),
        LastWords::new("application/connect+proto", "bye\n"),
    ]),
];

/// A clean end is a whole message: empty `application/proto` is one.
#[tokio::test]
async fn a_unary_call_that_is_cut_breaks_off_whatever_the_host_says() {
    for cut in ALL_CUTS {
        for request in [unary("application/json"), unary("application/proto"), unary_by_get()] {
            let (parts, body, is_error) = ask(request, When::InTheBody, cut).await;
            assert_eq!(
                (parts.status, &body[..], is_error),
                (StatusCode::OK, PIECE, true),
                "{cut:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_ends_with_its_last_message_whatever_the_host_says() {
    for cut in ALL_CUTS {
        let (_, body, is_error) = ask(stream("application/connect+proto"), When::InTheBody, cut).await;
        assert!(!is_error);
        assert_eq!(error(&end_of_stream(body.strip_prefix(PIECE).unwrap())), CUT, "{cut:?}");
    }
}

/// gRPC's families as well.
#[tokio::test]
async fn so_does_a_stream_of_grpc_web() {
    for cut in ALL_CUTS {
        let (_, body, is_error) = ask(stream("application/grpc-web+proto"), When::InTheBody, cut).await;
        assert!(!is_error);
        let frame = body.strip_prefix(PIECE).unwrap();
        assert_eq!(frame[0], 0x80, "{cut:?}");
        assert_eq!(
            &frame[5..],
            b"grpc-status: 7\r\ngrpc-message: the credential was revoked\r\n"
        );
    }
}
