//! What operators and orchestrators ask: how the gateway is, and the two levers of a sink.
//!
//! Whoever reaches these routes can revoke agents. They have an address of their own, on this machine by default.

use std::time::Duration;

use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::http::header::ORIGIN;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::json;
use tower_revocation::crl::KeyHandle;
use tower_revocation::format::clawdentity::ClawdentityEvents;
use tower_revocation::status::JournalStart;
use tower_revocation::{Disposition, EventSink};

/// The routes.
pub(crate) fn router(sink: EventSink, keys: KeyHandle) -> Router {
    let events = post(take_in).layer(DefaultBodyLimit::max(MAX_MESSAGE_BYTES));
    Router::new()
        .route("/status", get(status))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(move |sink| ready(sink, keys.clone())))
        .route("/events", events)
        .route("/refresh", post(refresh))
        .with_state(sink)
        .layer(middleware::from_fn(refuse_browsers))
}

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

/// Ready unless everyone would be refused: by the policy, or because no token can be verified. Says as well how far the start
/// has come: what was found of earlier processes, whether the list is fetched, and whether older events are still coming in.
async fn ready(State(sink): State<EventSink>, keys: KeyHandle) -> Response {
    let (code, verdict) = if !sink.is_ready() {
        (StatusCode::SERVICE_UNAVAILABLE, "no fresh revocation list")
    } else if keys.current().is_empty() {
        (StatusCode::SERVICE_UNAVAILABLE, "no signing keys")
    } else {
        (StatusCode::OK, "ready")
    };
    let status = sink.status();
    let journal = match &status.journal {
        None => "none".to_owned(),
        Some(journal) => {
            let durable = if journal.durable { "" } else { ", cannot be written" };
            match journal.start {
                JournalStart::New => format!("new{durable}"),
                JournalStart::Restored => format!("restored, {} entries{durable}", journal.restored_entries),
                _ => format!("lost{durable}"),
            }
        }
    };
    let is_restored = status.journal.as_ref().is_some_and(|journal| journal.restored_list);
    let list = match (&status.snapshot, status.poll.last_success_ms_ago) {
        (None, _) => "none",
        (Some(_), None) if is_restored => "restored",
        _ => "fetched",
    };
    let feed = serde_json::to_value(status.feed.state).unwrap_or_default();
    let feed = feed.as_str().unwrap_or_default();
    (
        code,
        format!("{verdict}\njournal: {journal}\nlist: {list}\nfeed: {feed}\n"),
    )
        .into_response()
}

/// Takes in one raw message, as a queue would deliver it.
async fn take_in(State(sink): State<EventSink>, message: Result<Bytes, BytesRejection>) -> Response {
    let message = match message {
        Ok(message) => message,
        Err(rejection) => return (rejection.status(), Json(json!({ "error": rejection.body_text() }))).into_response(),
    };
    let disposition = sink.ingest_async(&ClawdentityEvents::new(), &message).await;
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

/// Real messages have a few hundred bytes.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// Somewhat longer than a fetch may take in a healthy network, shorter than a person waits.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(10);
