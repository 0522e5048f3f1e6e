//! The embedded upstream: something to look at behind the gateway.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::Request;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use futures_util::Stream;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::{Map, Value, json};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::IntervalStream;

/// An echo of every request, `/events` that tick, and `/ws` that talks back.
pub(crate) fn router() -> Router {
    Router::new()
        .route("/events", get(tick))
        .route("/ws", any(converse))
        .fallback(echo)
}

/// What came, as JSON. The token stays out of it: answers get logged and pasted.
async fn echo(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY_BYTES).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "no more than 1 MiB is echoed\n").into_response();
    };
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let echo = json!({
        "method": parts.method.as_str(),
        "path": path,
        "headers": headers(&parts.headers),
        "body": text(&body),
    });
    Json(echo).into_response()
}

fn headers(headers: &HeaderMap) -> Map<String, Value> {
    let names = headers.keys().filter(|&name| name != AUTHORIZATION);
    let values = names.map(|name| {
        let values: Vec<_> = headers
            .get_all(name)
            .iter()
            .map(|value| text(value.as_bytes()))
            .collect();
        (name.to_string(), Value::from(values.join(", ")))
    });
    values.collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

async fn tick() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut ticks = 0_u64;
    let events = IntervalStream::new(tokio::time::interval(TICK)).map(move |_| {
        ticks += 1;
        Ok(Event::default()
            .event("tick")
            .data(json!({ "tick": ticks }).to_string()))
    });
    Sse::new(events)
}

async fn converse(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(repeat)
}

async fn repeat(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let said = matches!(message, Message::Text(_) | Message::Binary(_));
        // Pings are answered underneath.
        if said && socket.send(message).await.is_err() {
            return;
        }
    }
}

const MAX_BODY_BYTES: usize = 1 << 20;
const TICK: Duration = Duration::from_millis(500);
