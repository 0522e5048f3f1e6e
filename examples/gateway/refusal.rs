//! The layer's refusals, in the words of the upstream system's own proxy.

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::json;
use tower_revocation::respond::Refuse;
use tower_revocation::{KeyKind, Refusal};

use crate::envelope::{ErrorReply, RequestId};

/// Writes refusals as upstream's clients expect them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AsUpstream;

impl Refuse for AsUpstream {
    type Memo = RequestId;

    fn remember<B>(&self, request: &Request<B>) -> RequestId {
        RequestId::from_extensions(request.extensions())
    }

    fn refuse(&self, refusal: &Refusal, id: RequestId) -> Response<Bytes> {
        let mut response = reply(refusal).respond(&id);
        if let Refusal::Unavailable { retry_after, .. } = refusal {
            let seconds = HeaderValue::from(retry_after.as_secs().max(1));
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}

fn reply(refusal: &Refusal) -> ErrorReply {
    match refusal {
        Refusal::Missing => missing_token(),
        Refusal::Revoked(why) => {
            let message = match why.kind {
                KeyKind::Token => "AIT has been revoked",
                _ => "Agent has been revoked",
            };
            ErrorReply::new(StatusCode::UNAUTHORIZED, "PROXY_AUTH_REVOKED", message)
        }
        Refusal::Unavailable { .. } => ErrorReply {
            details: Some(json!({ "reason": "CRL cache is stale and cannot be refreshed" })),
            ..unavailable("Registry CRL is unavailable")
        },
        // Nothing else can come of credentials that an authentication layer has made.
        _ => invalid_ait(),
    }
}

pub(crate) const fn missing_token() -> ErrorReply {
    let message = "Authorization header is required";
    ErrorReply::new(StatusCode::UNAUTHORIZED, "PROXY_AUTH_MISSING_TOKEN", message)
}

pub(crate) const fn invalid_scheme() -> ErrorReply {
    let message = "Authorization must be in the format 'Claw <ait>'";
    ErrorReply::new(StatusCode::UNAUTHORIZED, "PROXY_AUTH_INVALID_SCHEME", message)
}

pub(crate) const fn invalid_ait() -> ErrorReply {
    let message = "AIT verification failed";
    ErrorReply::new(StatusCode::UNAUTHORIZED, "PROXY_AUTH_INVALID_AIT", message)
}

pub(crate) const fn unavailable(message: &'static str) -> ErrorReply {
    ErrorReply::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "PROXY_AUTH_DEPENDENCY_UNAVAILABLE",
        message,
    )
}
