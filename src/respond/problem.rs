//! Refusals in standard HTTP, and in the protocols of gRPC's family.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};

use crate::model::refusal::Refusal;
use crate::respond::connect;
use crate::respond::grpc;
use crate::respond::refuse::{RefusalTrailers, Refuse};
use crate::respond::rpc_call::{RpcCall, RpcProtocol};

/// Writes refusals as the standards demand. The default.
///
/// | refusal | status | header |
/// |---|---|---|
/// | revoked, unreadable | 401 | `WWW-Authenticate`, with `error="invalid_token"` ([RFC 6750 §3](https://www.rfc-editor.org/rfc/rfc6750#section-3)) |
/// | missing | 401 | `WWW-Authenticate`, without an error |
/// | unavailable | 503 | `Retry-After` ([RFC 9110 §10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)), in whole seconds, rounded up, 1 at least |
/// | withheld | 403, with a problem type of its own ([`WITHHELD`]) | |
///
/// The body is `application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)). The challenges are those of the layer
/// ([`RevocationLayer::with_challenge`](crate::RevocationLayer::with_challenge)), and [`Http`](super::Http) adds them.
///
/// A gRPC request gets a
/// [trailers-only response](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses) with status
/// `UNAUTHENTICATED`, or `UNAVAILABLE` with `grpc-retry-pushback-ms`
/// ([A6](https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback)). A gRPC-Web request gets the same in a
/// frame of trailers, which pages of other origins can read.
///
/// A unary call of [Connect](https://connectrpc.com/docs/protocol) (its header `connect-protocol-version: 1`, or `connect=v1` in the
/// query of a GET) gets the status and the headers above, and an error as JSON: `unauthenticated`, `unavailable`, or
/// `permission_denied` for what is withheld. A stream of Connect gets the same error in its end-stream message.
///
/// A response that is **withheld** is answered by what no client sends again by itself, since the request may have been
/// applied: 403 over HTTP, `PERMISSION_DENIED` over gRPC, in trailers behind headers, so that no retry policy applies.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Problem {}

impl Problem {
    /// Returns one.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

impl Refuse for Problem {
    type Memo = Option<RpcCall>;

    fn remember<B>(&self, request: &Request<B>) -> Self::Memo {
        RpcCall::of(request)
    }

    fn is_connect_unary(&self, call: &Self::Memo) -> Option<bool> {
        match call {
            None => Some(false),
            Some(RpcCall(RpcProtocol::ConnectUnary)) => Some(true),
            // Known by its content type, before anything else was looked at.
            Some(_) => None,
        }
    }

    fn refuse(&self, refusal: &Refusal, call: Self::Memo) -> Response<Bytes> {
        let is_connect = match call {
            None => false,
            Some(RpcCall(RpcProtocol::ConnectUnary)) => true,
            Some(RpcCall(RpcProtocol::ConnectStream(content_type))) => {
                return connect::refused_stream(refusal, detail(refusal), content_type);
            }
            Some(RpcCall(RpcProtocol::Grpc(content_type))) => return in_grpc(refusal, content_type),
        };
        let (status, kind, title) = match refusal {
            Refusal::Unavailable { .. } => (StatusCode::SERVICE_UNAVAILABLE, ABOUT_BLANK, "Service Unavailable"),
            Refusal::Withheld(_) => (StatusCode::FORBIDDEN, WITHHELD, "Response withheld"),
            _ => (StatusCode::UNAUTHORIZED, ABOUT_BLANK, "Unauthorized"),
        };
        let (content_type, body) = match is_connect {
            true => (connect::JSON, connect::error(connect::code(refusal), detail(refusal))),
            false => (
                HeaderValue::from_static("application/problem+json"),
                format!(
                    r#"{{"type":"{kind}","title":"{title}","status":{},"detail":"{}"}}"#,
                    status.as_u16(),
                    detail(refusal)
                ),
            ),
        };
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, content_type);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Refusal::Unavailable { retry_after, .. } = refusal {
            headers.insert(RETRY_AFTER, HeaderValue::from(in_seconds(*retry_after)));
        }
        response
    }
}

/// What the client is told. It is not told who revoked the credential, or why: that concerns the host alone.
pub(super) const fn detail(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Missing => "a credential is required",
        Refusal::Revoked(_) => "the credential was revoked",
        Refusal::Unavailable { .. } => "revocation cannot be checked at present",
        Refusal::Unreadable { .. } => "the credential is malformed",
        Refusal::Withheld(_) => "the credential was revoked while the request was handled: it may have been applied",
    }
}

/// Returns whole seconds, never 0: upon `Retry-After: 0` some clients repeat a POST at once.
const fn in_seconds(pause: Duration) -> u64 {
    let seconds = pause.as_secs();
    match pause.subsec_nanos() {
        0 if seconds > 0 => seconds,
        _ => seconds.saturating_add(1),
    }
}

/// The problem type of a response that is withheld since its credential was revoked meanwhile
/// ([RFC 9457 §3.1.1](https://www.rfc-editor.org/rfc/rfc9457#section-3.1.1)): the request may have been applied.
pub const WITHHELD: &str =
    "https://docs.rs/tower-revocation/latest/tower_revocation/enum.Refusal.html#variant.Withheld";

const ABOUT_BLANK: &str = "about:blank";

/// A response in gRPC: HTTP status 200, and gRPC's own where its clients look for it.
fn in_grpc(refusal: &Refusal, content_type: &'static str) -> Response<Bytes> {
    let status = match refusal {
        Refusal::Unavailable { .. } => grpc::UNAVAILABLE,
        Refusal::Withheld(_) => grpc::PERMISSION_DENIED,
        _ => grpc::UNAUTHENTICATED,
    };
    let outcome = grpc::CallOutcome {
        status,
        message: detail(refusal),
    };
    let mut response = Response::new(Bytes::new());
    match grpc::trailers_of(content_type.as_bytes()).and_then(|trailers| outcome.frame(trailers)) {
        Some(frame) => *response.body_mut() = frame,
        // Headers without a status commit the call: whatever its policy, no client sends it again.
        None if matches!(refusal, Refusal::Withheld(_)) => {
            response.extensions_mut().insert(RefusalTrailers(outcome.trailers()));
        }
        None => outcome.state(response.headers_mut()),
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Refusal::Unavailable { retry_after, .. } = refusal {
        headers.insert(
            "grpc-retry-pushback-ms",
            HeaderValue::from(in_seconds(*retry_after).saturating_mul(1_000)),
        );
    }
    response
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::model::event::{Effect, Reason};
    use crate::model::key::KeyKind;
    use crate::model::verdict::{Revoked, RevokedBy, Unknown};

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
    fn answers_401_to_those_who_presented_none_or_none_that_counts() {
        let response = refuse(Refusal::Missing, "text/plain");
        assert_eq!(response.status(), 401);
        let response = refuse(UNREADABLE, "text/plain");
        assert_eq!(response.status(), 401);
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["status"], 401);
    }

    #[test]
    fn says_when_to_try_again() {
        let response = refuse(UNAVAILABLE, "text/plain");
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[RETRY_AFTER], "7");
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
        let response = refuse(UNAVAILABLE, "application/grpc");
        assert_eq!(response.headers()["grpc-status"], "14");
        assert_eq!(response.headers()["grpc-retry-pushback-ms"], "7000");
    }

    /// Browsers hide the headers of another origin: npm `grpc-web` 2.1.1 took a refused stream for an empty one that ended well.
    #[test]
    fn speaks_grpc_web_in_the_body() {
        let response = refuse(UNREADABLE, "application/grpc-web+json");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/grpc-web+json");
        assert!(!response.headers().contains_key("grpc-status"));
        let body = response.body();
        assert_eq!((body[0], body.len() - 5), (0x80, usize::from(body[4])));
        assert_eq!(
            &body[5..],
            b"grpc-status: 16\r\ngrpc-message: the credential is malformed\r\n"
        );
        let in_text = refuse(UNREADABLE, "application/grpc-web-text").into_body();
        assert_eq!(STANDARD.decode(in_text).unwrap(), body[..]);
    }

    const WITHHELD_RESPONSE: Refusal = Refusal::Withheld(Revoked {
        kind: KeyKind::Token,
        effect: Effect::Block,
        source: RevokedBy::Event,
        reason: Reason::Unspecified,
    });

    #[test]
    fn says_of_a_withheld_response_that_the_request_may_have_been_applied() {
        let response = refuse(WITHHELD_RESPONSE, "text/plain");
        assert_eq!(response.status(), 403);
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!((&body["type"], &body["status"]), (&WITHHELD.into(), &403.into()));
        assert!(body["detail"].as_str().unwrap().ends_with("it may have been applied"));
    }

    /// Trailers alone are repeated by every retry policy that names their code: grpc-go, grpc-java, grpcio and grpc-js ran a call
    /// three times.
    #[test]
    fn commits_a_call_of_grpc_whose_response_is_withheld() {
        let response = refuse(WITHHELD_RESPONSE, "application/grpc");
        assert!(!response.headers().contains_key("grpc-status"));
        let RefusalTrailers(trailers) = response.extensions().get().unwrap();
        assert_eq!(trailers["grpc-status"], "7");
        let web = refuse(WITHHELD_RESPONSE, "application/grpc-web").into_body();
        assert!(web[5..].starts_with(b"grpc-status: 7\r\n"));
    }

    #[test]
    fn asks_nobody_back_within_the_same_second() {
        for (millis, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (7_000, 7)] {
            assert_eq!(in_seconds(Duration::from_millis(millis)), seconds, "{millis} ms");
        }
    }
}
