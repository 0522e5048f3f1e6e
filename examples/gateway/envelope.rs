//! Errors as the upstream system's clients expect them, and the request's id that each of them names.

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{Extensions, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::Value;

/// The id of one request: the client's own if it is presentable, otherwise a fresh one.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    fn of(request: &Request) -> Self {
        match request.headers().get(X_REQUEST_ID) {
            Some(theirs) if is_presentable(theirs.as_bytes()) => Self(theirs.clone()),
            _ => Self::fresh(),
        }
    }

    fn fresh() -> Self {
        let id = HeaderValue::try_from(uuid()).expect("hexadecimal digits make a header value");
        Self(id)
    }

    /// The id of the request with these extensions.
    pub(crate) fn from_extensions(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_else(Self::fresh)
    }

    fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// Names the request: in its extensions and headers for those further in, and in the response's headers.
pub(crate) async fn identify(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(&request);
    request.headers_mut().insert(X_REQUEST_ID, id.0.clone());
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).await;
    response.headers_mut().insert(X_REQUEST_ID, id.0);
    response
}

/// An error as it goes to the client.
#[derive(Debug)]
pub(crate) struct ErrorReply {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
    pub(crate) details: Option<Value>,
}

impl ErrorReply {
    pub(crate) const fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self {
            status,
            code,
            message,
            details: None,
        }
    }

    /// The response to the request of this id.
    pub(crate) fn respond(self, id: &RequestId) -> http::Response<Bytes> {
        let envelope = Envelope {
            error: Error {
                code: self.code,
                message: self.message,
                request_id: id.as_str(),
                details: self.details,
            },
        };
        let body = serde_json::to_vec(&envelope).expect("strings and JSON values serialize");
        let mut response = http::Response::new(Bytes::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_REQUEST_ID, id.0.clone());
        response
    }

    /// The response to the request with these extensions, as axum's.
    pub(crate) fn into_response(self, extensions: &Extensions) -> Response {
        self.respond(&RequestId::from_extensions(extensions)).map(Body::from)
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Error<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Error<'a> {
    code: &'static str,
    message: &'static str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Value>,
}

/// Whether an id may be echoed: upstream's `^[A-Za-z0-9._:-]{8,128}$`.
fn is_presentable(id: &[u8]) -> bool {
    let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"._:-".contains(byte);
    (8..=128).contains(&id.len()) && id.iter().all(harmless)
}

/// A random UUID ([RFC 9562 §5.4](https://www.rfc-editor.org/rfc/rfc9562#section-5.4)).
pub(crate) fn uuid() -> String {
    let mut bytes: [u8; 16] = rand::random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

pub(crate) const X_REQUEST_ID: &str = "x-request-id";
