//! What a page follows: one line of JSON for each change, and how everything is twice a second.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};

use super::record::Record;

/// What one page is told.
pub(crate) struct Feed {
    record: Record,
    /// What it is still to be told of how everything was when it came.
    first: Option<String>,
    lines: broadcast::Receiver<Arc<str>>,
    now: watch::Receiver<Arc<str>>,
    _place: OwnedSemaphorePermit,
}

impl Feed {
    pub(crate) fn new(record: Record, now: watch::Receiver<Arc<str>>, place: OwnedSemaphorePermit) -> Self {
        let (picture, lines) = record.follow();
        // While nobody is there, nobody looks.
        record.stir();
        Self {
            record,
            first: Some(picture),
            lines,
            now,
            _place: place,
        }
    }

    /// The next line; `None` when the gateway ends.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(picture) = self.first.take() {
            return Some(ended(&picture));
        }
        tokio::select! {
            line = self.lines.recv() => match line {
                Ok(line) => Some(ended(&line)),
                // It reads too slowly to be told everything: it gets the whole picture, and goes on from there.
                Err(RecvError::Lagged(_)) => {
                    let (picture, lines) = self.record.follow();
                    self.lines = lines;
                    Some(ended(&picture))
                }
                Err(RecvError::Closed) => None,
            },
            changed = self.now.changed() => {
                changed.ok()?;
                let now = Arc::clone(&self.now.borrow_and_update());
                Some(ended(&now))
            }
        }
    }
}

impl IntoResponse for Feed {
    fn into_response(self) -> Response {
        let lines = stream::unfold(self, async |mut feed| {
            let line = feed.next().await?;
            Some((Ok::<_, Infallible>(line), feed))
        });
        let headers = [
            (CONTENT_TYPE, "application/x-ndjson"),
            (CACHE_CONTROL, "no-store"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (headers, Body::from_stream(lines)).into_response()
    }
}

fn ended(line: &str) -> Bytes {
    Bytes::from([line.as_bytes(), b"\n"].concat())
}
