//! What operators and orchestrators ask: how the gateway is, and the two levers of a sink.
//!
//! Whoever reaches these routes can revoke agents. They have an address of their own, on this machine by default.

use std::time::Duration;

use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderName, ORIGIN};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use bytes::Bytes;
use serde_json::json;
use tower_revocation::probe::{Healthz, Need, Readyz};
use tower_revocation::{Disposition, EventSink};

use crate::console::{Console, Overheard};
use crate::format::QueueEvents;
use crate::metrics::Metrics;

/// The routes. The console has a door of its own.
pub(crate) fn router(
    sink: EventSink,
    needs: impl Iterator<Item = Need>,
    metrics: Metrics,
    events: Events,
    console: Console,
) -> Router {
    // Whoever is admitted has a token that was verified.
    let readyz = Readyz::new(sink.clone()).with_need(Need::SigningKeys);
    let readyz = needs.fold(readyz, Readyz::with_need);
    let take_in = post(take_in).layer(DefaultBodyLimit::max(MAX_MESSAGE_BYTES));
    Router::new()
        .route("/status", get(status))
        .route("/metrics", get(move || async move { (METRICS_TYPE, metrics.render()) }))
        .route_service("/healthz", Healthz::new())
        .route_service("/readyz", readyz)
        .route("/events", take_in)
        .route("/refresh", post(refresh))
        .with_state(sink)
        .layer(Extension(events))
        .layer(middleware::from_fn(refuse_browsers))
        .merge(console.router())
}

/// What reads the messages.
type Events = Overheard<QueueEvents>;

/// A page of whatever origin could have a browser on this machine post an event; `curl` and orchestrators have no origin.
async fn refuse_browsers(request: Request, next: Next) -> Response {
    if request.headers().contains_key(ORIGIN) {
        return (StatusCode::FORBIDDEN, "not from a browser\n").into_response();
    }
    next.run(request).await
}

async fn status(State(sink): State<EventSink>) -> Response {
    Json(sink.status()).into_response()
}

/// Takes in one raw message, as a queue would deliver it.
async fn take_in(
    State(sink): State<EventSink>,
    Extension(events): Extension<Events>,
    message: Result<Bytes, BytesRejection>,
) -> Response {
    let message = match message {
        Ok(message) => message,
        Err(rejection) => return (rejection.status(), Json(json!({ "error": rejection.body_text() }))).into_response(),
    };
    let disposition = sink.ingest(&events, &message).durable().await;
    let status = match disposition {
        Disposition::Applied | Disposition::Ignored(_) => StatusCode::OK,
        Disposition::Retry(_) => StatusCode::SERVICE_UNAVAILABLE,
        Disposition::DeadLetter(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let mut answer = json!({ "disposition": disposition.as_str() });
    if let Some(reason) = disposition.reason() {
        answer["reason"] = reason.into();
    }
    (status, Json(answer)).into_response()
}

/// Has the list fetched now, and answers how things are afterwards; 504 if the fetch is still going on by then.
async fn refresh(State(sink): State<EventSink>) -> Response {
    let code = match tokio::time::timeout(REFRESH_TIMEOUT, sink.refreshed()).await {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::GATEWAY_TIMEOUT,
    };
    (code, Json(sink.status())).into_response()
}

/// Prometheus' text format.
const METRICS_TYPE: [(HeaderName, &str); 1] = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];

/// Real messages have a few hundred bytes.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// Somewhat longer than a fetch may take in a healthy network, shorter than a person waits.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(10);
