//! The answer to the issuer.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode, Version};
use serde::Serialize;

use crate::logout::logout_error::LogoutError;

/// Why a logout was not taken in.
#[derive(Debug)]
pub(super) enum LogoutRefusal {
    BrokenOff,
    /// It can never be right.
    Invalid(LogoutError),
    /// It may be right, and cannot be relied on now.
    NotNow(String),
    NotPosted,
    TooLarge,
    TooSlow,
}

impl LogoutRefusal {
    /// Returns the part at fault, to count by.
    pub(super) fn code(&self) -> &str {
        match self {
            Self::BrokenOff => "body",
            Self::Invalid(error) => error.field(),
            Self::NotNow(_) => "not-now",
            Self::NotPosted => "method",
            Self::TooLarge => "too-large",
            Self::TooSlow => "timeout",
        }
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::BrokenOff | Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::NotNow(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotPosted => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// Returns what is wrong, in words.
    pub(super) fn words(&self) -> String {
        match self {
            Self::BrokenOff => "the body broke off".to_owned(),
            Self::Invalid(error) => error.to_string(),
            Self::NotNow(why) => why.clone(),
            Self::NotPosted => "logouts are told by POST".to_owned(),
            Self::TooLarge => "the body is too large for a logout token".to_owned(),
            Self::TooSlow => "the body did not come in time".to_owned(),
        }
    }
}

/// Answers a logout: 200 without a body, or an error as OAuth has it ([§2.8](https://openid.net/specs/openid-connect-backchannel-1_0.html#BCResponse),
/// [RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)).
pub(super) fn answer(version: Version, outcome: Result<(), LogoutRefusal>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    if let Err(refusal) = &outcome {
        *response.status_mut() = refusal.status();
        let error = match refusal {
            LogoutRefusal::NotNow(_) => "temporarily_unavailable",
            _ => "invalid_request",
        };
        let words = refusal.words();
        let body = LogoutProblem {
            error,
            error_description: &words,
        };
        *response.body_mut() = serde_json::to_vec(&body).expect("strings serialize").into();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match refusal {
            LogoutRefusal::NotNow(_) => drop(headers.insert(RETRY_AFTER, HeaderValue::from_static("2"))),
            LogoutRefusal::NotPosted => drop(headers.insert(ALLOW, HeaderValue::from_static("POST"))),
            _ => {}
        }
    }
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if version <= Version::HTTP_11 {
        // Keycloak 26.7 posts nothing twice: the next logout would be lost if we had closed the connection that it kept.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[derive(Serialize)]
struct LogoutProblem<'p> {
    error: &'static str,
    error_description: &'p str,
}
