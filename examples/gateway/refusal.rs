//! Refusals, in the words of the upstream system's own proxy; to gRPC clients in their protocol, as the crate writes them.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::uri::PathAndQuery;
use http::{Extensions, HeaderValue, Method, Request, Response, StatusCode};
use serde_json::json;
use tower_revocation::respond::{Problem, Refuse};
use tower_revocation::{KeyKind, Refusal};

use crate::auth::Agent;
use crate::console::{self, Record};
use crate::envelope::{ErrorReply, RequestId};

/// Writes refusals as upstream's clients expect them, and tells the record.
#[derive(Clone, Debug)]
pub(crate) struct AsUpstream(pub(crate) Record);

/// What a refusal has to know of its request. Nothing of it is copied.
pub(crate) struct Memo {
    id: RequestId,
    agent: Option<Arc<str>>,
    method: Method,
    target: Option<PathAndQuery>,
    grpc: Option<GrpcMemo>,
}

type GrpcMemo = <Problem as Refuse>::Memo;

impl Refuse for AsUpstream {
    type Memo = Memo;

    fn remember<B>(&self, request: &Request<B>) -> Memo {
        Memo {
            id: RequestId::from_extensions(request.extensions()),
            agent: agent(request.extensions()),
            method: request.method().clone(),
            target: request.uri().path_and_query().cloned(),
            grpc: grpc(request),
        }
    }

    fn refuse(&self, refusal: &Refusal, memo: Memo) -> Response<Bytes> {
        let path = memo.target.as_ref().map_or("", PathAndQuery::path);
        self.0
            .refused(memo.agent.as_ref(), refusal, || console::request(&memo.method, path));
        if let Some(grpc) = memo.grpc {
            return Problem::new().refuse(refusal, grpc);
        }
        let mut response = reply(refusal).respond(&memo.id);
        if let Refusal::Unavailable { retry_after, .. } = refusal {
            let seconds = HeaderValue::from(retry_after.as_secs().max(1));
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}

/// What a refusal has to know of a request of gRPC or gRPC-Web: an error in JSON is no answer to those.
pub(crate) fn grpc<B>(request: &Request<B>) -> Option<GrpcMemo> {
    let content_type = request.headers().get(CONTENT_TYPE)?.as_bytes();
    let family = content_type.get(..GRPC.len())?;
    family
        .eq_ignore_ascii_case(GRPC)
        .then(|| Problem::new().remember(request))
}

const GRPC: &[u8] = b"application/grpc";

/// The DID of whoever is asking.
pub(crate) fn agent(extensions: &Extensions) -> Option<Arc<str>> {
    extensions.get::<Agent>().map(|agent| Arc::clone(agent.did()))
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
        // Not 401: a client with a refresh token would send it again.
        Refusal::Withheld(_) => {
            let message = "Agent has been revoked meanwhile; the request may have been applied";
            ErrorReply::new(StatusCode::FORBIDDEN, "PROXY_AUTH_REVOKED", message)
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
