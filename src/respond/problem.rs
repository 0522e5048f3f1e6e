//! Refusals in standard HTTP, and in standard gRPC.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response, StatusCode};

use crate::model::refusal::Refusal;
use crate::respond::grpc;
use crate::respond::refuse::Refuse;

/// Writes refusals as the standards demand. The default.
///
/// | refusal | status | header |
/// |---|---|---|
/// | revoked, unreadable | 401 | `WWW-Authenticate: Bearer error="invalid_token"` ([RFC 6750 §3](https://www.rfc-editor.org/rfc/rfc6750#section-3)) |
/// | missing | 401 | `WWW-Authenticate: Bearer` |
/// | unavailable | 503 | `Retry-After` ([RFC 9110 §10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)) |
///
/// The body is `application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)). A gRPC request gets a
/// [trailers-only response](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses) with status
/// `UNAUTHENTICATED` or `UNAVAILABLE`.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    scheme: &'static str,
}

impl Problem {
    /// Returns one that challenges for the scheme `Bearer`.
    #[must_use]
    pub const fn new() -> Self {
        Self { scheme: "Bearer" }
    }

    /// Sets the scheme of the challenge. Defaults to `Bearer`.
    #[must_use]
    pub const fn with_scheme(mut self, scheme: &'static str) -> Self {
        self.scheme = scheme;
        self
    }

    fn challenge(&self, refusal: &Refusal) -> Option<HeaderValue> {
        let challenge = match refusal {
            Refusal::Missing => self.scheme.to_owned(),
            Refusal::Unavailable { .. } => return None,
            _ => format!(
                r#"{} error="invalid_token", error_description="{}""#,
                self.scheme,
                detail(refusal)
            ),
        };
        HeaderValue::try_from(challenge).ok()
    }
}

impl Default for Problem {
    fn default() -> Self {
        Self::new()
    }
}

impl Refuse for Problem {
    /// The content type of a gRPC request.
    type Memo = Option<&'static str>;

    fn remember<B>(&self, request: &Request<B>) -> Self::Memo {
        grpc::content_type(request)
    }

    fn refuse(&self, refusal: &Refusal, grpc: Self::Memo) -> Response<Bytes> {
        if let Some(content_type) = grpc {
            return trailers_only(refusal, content_type);
        }
        let (status, title) = match refusal {
            Refusal::Unavailable { .. } => (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
            _ => (StatusCode::UNAUTHORIZED, "Unauthorized"),
        };
        let body = format!(
            r#"{{"type":"about:blank","title":"{title}","status":{},"detail":"{}"}}"#,
            status.as_u16(),
            detail(refusal)
        );
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge(refusal) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Refusal::Unavailable { retry_after, .. } = refusal {
            headers.insert(RETRY_AFTER, HeaderValue::from(retry_after.as_secs()));
        }
        response
    }
}

/// What the client is told. It is not told who revoked the credential, or why: that concerns the host alone.
const fn detail(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Missing => "a credential is required",
        Refusal::Revoked(_) => "the credential was revoked",
        Refusal::Unavailable { .. } => "revocation cannot be checked at present",
        Refusal::Unreadable { .. } => "the credential is malformed",
    }
}

/// A response that consists of trailers alone: HTTP status 200, and gRPC's own in the header.
fn trailers_only(refusal: &Refusal, content_type: &'static str) -> Response<Bytes> {
    let status = match refusal {
        Refusal::Unavailable { .. } => grpc::UNAVAILABLE,
        _ => grpc::UNAUTHENTICATED,
    };
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    grpc::state(headers, status, detail(refusal));
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::verdict::Unknown;

    fn refuse(refusal: Refusal, content_type: &str) -> Response<Bytes> {
        let request = Request::post("/").header(CONTENT_TYPE, content_type);
        let memo = Problem::new().remember(&request.body(()).unwrap());
        Problem::new().refuse(&refusal, memo)
    }

    const UNREADABLE: Refusal = Refusal::Unreadable { problem: "x" };
    const UNAVAILABLE: Refusal = Refusal::Unavailable {
        why: Unknown::NoSnapshot,
        retry_after: Duration::from_secs(7),
    };

    #[test]
    fn names_the_error_only_to_those_who_presented_a_token() {
        let response = refuse(Refusal::Missing, "text/plain");
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
        let response = refuse(UNREADABLE, "text/plain");
        assert_eq!(response.status(), 401);
        assert_eq!(
            response.headers()[WWW_AUTHENTICATE],
            r#"Bearer error="invalid_token", error_description="the credential is malformed""#
        );
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["status"], 401);
    }

    #[test]
    fn challenges_for_another_scheme() {
        let response = Problem::new().with_scheme("Claw").refuse(&Refusal::Missing, None);
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Claw");
    }

    #[test]
    fn says_when_to_try_again_and_does_not_challenge() {
        let response = refuse(UNAVAILABLE, "text/plain");
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[RETRY_AFTER], "7");
        assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
    }

    #[test]
    fn speaks_grpc_to_grpc_clients() {
        let response = refuse(UNREADABLE, "application/grpc+proto");
        assert_eq!(
            (response.status(), &response.headers()["grpc-status"]),
            (StatusCode::OK, &"16".parse().unwrap())
        );
        assert_eq!(response.headers()["grpc-message"], "the credential is malformed");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/grpc+proto");
        assert!(response.body().is_empty());
        let response = refuse(UNAVAILABLE, "application/grpc-web");
        assert_eq!(response.headers()["grpc-status"], "14");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/grpc-web");
    }
}
