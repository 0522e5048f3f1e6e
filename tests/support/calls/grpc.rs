//! What is called over gRPC, gRPC-Web and Connect. Messages are bytes, so that neither side needs a schema.

use axum::body::Body;
use axum::response::Response;
use axum::routing::post;
use axum::{Extension, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;

use super::call::Call;
use super::pieces::Pieces;

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/calls.Calls/Unary", post(unary))
        .route("/calls.Calls/Stream", post(stream))
}

async fn unary(Extension(call): Extension<Call>, headers: HeaderMap, request: Body) -> Response {
    respond(call, &headers, request, 1).await
}

async fn stream(Extension(call): Extension<Call>, headers: HeaderMap, request: Body) -> Response {
    let messages = call.plan.pieces;
    respond(call, &headers, request, messages).await
}

async fn respond(call: Call, headers: &HeaderMap, request: Body, messages: usize) -> Response {
    call.begin();
    let mut response = Response::new(Body::empty());
    let kind = headers.get(CONTENT_TYPE).cloned();
    let protocol = kind.as_ref().and_then(Protocol::of);
    let (Some(kind), Some(protocol), Ok(_)) = (kind, protocol, request.collect().await) else {
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return response;
    };
    call.run(messages).await;
    let texts = (1..=messages).map(|nth| string_value(&format!("m{nth}")));
    let frames = texts
        .map(|text| protocol.message(&text))
        .chain(protocol.end())
        .collect();
    *response.body_mut() = Body::new(Pieces::new(frames, call));
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// How messages are framed, and a call is ended.
#[derive(Clone, Copy)]
enum Protocol {
    Grpc,
    GrpcWeb,
    GrpcWebText,
    ConnectStream,
    ConnectUnary,
}

impl Protocol {
    fn of(kind: &HeaderValue) -> Option<Self> {
        let kind = kind.to_str().ok()?;
        // The longer ones first.
        let all = [
            ("application/grpc-web-text", Self::GrpcWebText),
            ("application/grpc-web", Self::GrpcWeb),
            ("application/grpc", Self::Grpc),
            ("application/connect+proto", Self::ConnectStream),
            ("application/proto", Self::ConnectUnary),
        ];
        Some(all.into_iter().find(|(name, _)| kind.starts_with(name))?.1)
    }

    fn message(self, message: &[u8]) -> Frame<Bytes> {
        match self {
            Self::ConnectUnary => Frame::data(Bytes::copy_from_slice(message)),
            _ => self.framed(0, message),
        }
    }

    fn end(self) -> Option<Frame<Bytes>> {
        match self {
            Self::Grpc => {
                let ok = ("grpc-status".parse().expect("a name"), HeaderValue::from_static("0"));
                Some(Frame::trailers(HeaderMap::from_iter([ok])))
            }
            Self::GrpcWeb | Self::GrpcWebText => Some(self.framed(0x80, b"grpc-status: 0\r\n")),
            Self::ConnectStream => Some(self.framed(0x02, b"{}")),
            Self::ConnectUnary => None,
        }
    }

    fn framed(self, flags: u8, content: &[u8]) -> Frame<Bytes> {
        let len = u32::try_from(content.len()).expect("messages are short");
        let framed = [&[flags], &len.to_be_bytes()[..], content].concat();
        Frame::data(match self {
            Self::GrpcWebText => STANDARD.encode(framed).into(),
            _ => framed.into(),
        })
    }
}

/// Encodes a `google.protobuf.StringValue`, which all libraries of gRPC bring along.
fn string_value(text: &str) -> Vec<u8> {
    let len = u8::try_from(text.len()).expect("texts are short");
    [&[0x0a, len], text.as_bytes()].concat()
}
