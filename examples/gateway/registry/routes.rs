//! The registry over HTTP.

use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Extension, Json, Router, middleware};
use bytes::Bytes;
use http::{Extensions, header};
use serde::Deserialize;
use serde_json::json;

use crate::ait::is_ulid;
use crate::envelope::{self, ErrorReply, RequestId};
use crate::registry::book::{Problem, Publication, Registry};

/// The routes.
pub(crate) fn router(registry: Registry) -> Router {
    Router::new()
        .route("/v1/agents", post(register))
        .route("/v1/agents/{id}", delete(revoke))
        .route("/v1/agents/{id}/reissue", post(reissue))
        .route("/v1/crl", get(list))
        .route("/.well-known/claw-keys.json", get(keys))
        .fallback(unknown)
        .layer(middleware::from_fn(envelope::identify))
        .with_state(registry)
}

/// `{"name": …, "ttlDays": …}`, both optional, as is the body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registration {
    #[serde(default = "default_name")]
    name: String,
    #[serde(default = "default_ttl_days")]
    ttl_days: u32,
}

async fn register(State(registry): State<Registry>, Extension(id): Extension<RequestId>, body: Bytes) -> Response {
    let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
    match serde_json::from_slice::<Registration>(body) {
        Ok(wish) if is_name(&wish.name) && (1..=90).contains(&wish.ttl_days) => {
            let issued = registry.register(wish.name, wish.ttl_days);
            (StatusCode::CREATED, Json(issued)).into_response()
        }
        _ => refuse(StatusCode::BAD_REQUEST, "AGENT_REGISTRATION_INVALID", UNPROCESSED, id),
    }
}

/// `?event=lost` withholds the queue message, as upstream sometimes does.
#[derive(Deserialize)]
struct HowToRevoke {
    event: Option<String>,
}

async fn revoke(
    State(registry): State<Registry>,
    Extension(request): Extension<RequestId>,
    Path(id): Path<String>,
    Query(how): Query<HowToRevoke>,
) -> Response {
    let Some(id) = agent_id(&id) else {
        return invalid_path(request);
    };
    let publication = match how.event.as_deref() {
        Some("lost") => Publication::Lost,
        _ => Publication::Sent,
    };
    match registry.revoke(id, publication).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(_) => refuse(StatusCode::NOT_FOUND, "AGENT_NOT_FOUND", "Agent not found", request),
    }
}

fn invalid_path(request: RequestId) -> Response {
    refuse(
        StatusCode::BAD_REQUEST,
        "AGENT_REVOKE_INVALID_PATH",
        UNPROCESSED,
        request,
    )
}

async fn reissue(
    State(registry): State<Registry>,
    Extension(request): Extension<RequestId>,
    Path(id): Path<String>,
) -> Response {
    let Some(id) = agent_id(&id) else {
        return invalid_path(request);
    };
    match registry.reissue(id) {
        Ok(issued) => Json(issued).into_response(),
        Err(Problem::Unknown) => refuse(StatusCode::NOT_FOUND, "AGENT_NOT_FOUND", "Agent not found", request),
        Err(Problem::Revoked) => refuse(
            StatusCode::CONFLICT,
            "AGENT_REISSUE_INVALID_STATE",
            UNPROCESSED,
            request,
        ),
    }
}

async fn list(State(registry): State<Registry>, Extension(request): Extension<RequestId>) -> Response {
    match registry.list() {
        Some(list) => (CACHE, Json(json!({ "crl": list }))).into_response(),
        None => refuse(
            StatusCode::NOT_FOUND,
            "CRL_NOT_FOUND",
            "CRL snapshot is not available",
            request,
        ),
    }
}

async fn keys(State(registry): State<Registry>) -> Response {
    (CACHE, Json(registry.keys())).into_response()
}

async fn unknown(request: Request) -> Response {
    ErrorReply::new(StatusCode::NOT_FOUND, "NOT_FOUND", "Not found").into_response(request.extensions())
}

fn refuse(status: StatusCode, code: &'static str, message: &'static str, request: RequestId) -> Response {
    let mut extensions = Extensions::new();
    extensions.insert(request);
    ErrorReply::new(status, code, message).into_response(&extensions)
}

/// The ULID of an agent that is named by it, or by its DID.
fn agent_id(path: &str) -> Option<&str> {
    let id = match path.strip_prefix("did:cdi:") {
        Some(did) => did.split_once(":agent:")?.1,
        None => path,
    };
    is_ulid(id).then_some(id)
}

/// Upstream's rule for agents' names.
fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._ -".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

fn default_name() -> String {
    "agent".to_owned()
}

const fn default_ttl_days() -> u32 {
    30
}

const UNPROCESSED: &str = "Request could not be processed";

const CACHE: [(header::HeaderName, &str); 1] = [(
    header::CACHE_CONTROL,
    "public, max-age=300, s-maxage=300, stale-while-revalidate=60",
)];
