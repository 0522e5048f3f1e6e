//! The answer to the sender.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Response, StatusCode};
use serde::Serialize;

use crate::model::decode::Disposition;
use crate::model::refusal::DEFAULT_RETRY_AFTER;
use crate::respond::unread::drop_body_of_head;

/// Says what became of the messages. The worst result decides the status.
pub(super) fn of(dispositions: &[Disposition], form: Form) -> Response<Bytes> {
    let mut results = dispositions.iter().map(MessageResult::from);
    let body = match form {
        Form::Batch => to_json(&BatchResult {
            results: results.collect(),
        }),
        Form::One => to_json(&results.next()),
    };
    let status = status(dispositions);
    let mut response = respond(status, "application/json", body);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let after = HeaderValue::from(DEFAULT_RETRY_AFTER.as_secs());
        response.headers_mut().insert(RETRY_AFTER, after);
    }
    response
}

/// The form in which messages came.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Batch,
    One,
}

/// Why a push was not taken in.
#[derive(Debug)]
pub(super) enum Rejection {
    BrokenOff,
    NotPosted,
    TooLarge(usize),
    TooMany(usize),
    TooSlow,
    Unauthorized(Option<HeaderValue>),
}

impl Rejection {
    /// Writes it as standard HTTP, with the details as in [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457).
    pub(super) fn into_response(self, method: &Method) -> Response<Bytes> {
        let (status, detail) = match &self {
            Self::BrokenOff => (StatusCode::BAD_REQUEST, "the body broke off".to_owned()),
            Self::NotPosted => (StatusCode::METHOD_NOT_ALLOWED, "events are pushed by POST".to_owned()),
            Self::TooLarge(cap) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body is larger than {cap} bytes"),
            ),
            Self::TooMany(cap) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the batch has more than {cap} messages"),
            ),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "the body did not come in time".to_owned()),
            // It does not say which of the two: a sender without a secret learns nothing.
            Self::Unauthorized(_) => (
                StatusCode::UNAUTHORIZED,
                "a secret is required, or was wrong".to_owned(),
            ),
        };
        let problem = PushProblem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail,
        };
        let mut response = respond(status, "application/problem+json", to_json(&problem));
        if *method == Method::HEAD {
            drop_body_of_head(&mut response);
        }
        let headers = response.headers_mut();
        match self {
            Self::NotPosted => drop(headers.insert(ALLOW, HeaderValue::from_static("POST"))),
            Self::Unauthorized(Some(challenge)) => drop(headers.insert(WWW_AUTHENTICATE, challenge)),
            _ => {}
        }
        response
    }
}

#[derive(Serialize)]
struct BatchResult<'d> {
    results: Vec<MessageResult<'d>>,
}

#[derive(Serialize)]
struct MessageResult<'d> {
    disposition: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'d str>,
}

impl<'d> From<&'d Disposition> for MessageResult<'d> {
    fn from(disposition: &'d Disposition) -> Self {
        Self {
            disposition: disposition.as_str(),
            reason: disposition.reason(),
        }
    }
}

#[derive(Serialize)]
struct PushProblem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
}

/// What can be repeated comes first: the sender sends all of it again, and then learns what can never be applied.
fn status(dispositions: &[Disposition]) -> StatusCode {
    let mut status = StatusCode::OK;
    for disposition in dispositions {
        match disposition {
            Disposition::Applied | Disposition::Ignored(_) => {}
            Disposition::DeadLetter(_) => status = StatusCode::UNPROCESSABLE_ENTITY,
            Disposition::Retry(_) => return StatusCode::SERVICE_UNAVAILABLE,
        }
    }
    status
}

fn respond(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn to_json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("strings and numbers serialize")
}
