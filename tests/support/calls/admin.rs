//! What whoever runs the clients asks, beside the layer.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderValue, Method, StatusCode};
use serde_json::Value;

use super::call::Calls;

pub(crate) fn routes(calls: Arc<Calls>) -> Router {
    Router::new()
        .route("/admin/calls", get(report))
        .route("/admin/revoke/{token}", post(revoke))
        .with_state(calls)
}

async fn report(State(calls): State<Arc<Calls>>) -> Json<Value> {
    Json(calls.report())
}

async fn revoke(State(calls): State<Arc<Calls>>, Path(token): Path<String>) -> StatusCode {
    calls.revoke(&token);
    StatusCode::NO_CONTENT
}

/// Lets pages of other origins call, as they must to be told apart from pages of our own: nothing is exposed to them.
pub(crate) async fn cors(request: Request, next: Next) -> Response {
    let is_preflight = *request.method() == Method::OPTIONS;
    let mut response = match is_preflight {
        true => StatusCode::NO_CONTENT.into_response(),
        false => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert("access-control-allow-origin", HeaderValue::from_static("*"));
    if is_preflight {
        let allowed = "authorization, content-type, x-call-id, x-moment, x-grpc-web, x-user-agent, \
                       connect-protocol-version, connect-timeout-ms";
        headers.insert("access-control-allow-headers", HeaderValue::from_static(allowed));
        headers.insert("access-control-max-age", HeaderValue::from_static("600"));
    }
    response
}
