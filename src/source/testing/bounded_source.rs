//! A source whose calls return.

use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::common::error_text::error_text;
use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, Delivery, EventSource, Signal};
use crate::source::position::Start;
use crate::source::testing::limit::{PATIENCE, POLL, of_source};
use crate::source::testing::observed::text;

/// A source that is read without the loop. Every call of it ends in time, or is told of in words.
pub(super) struct BoundedSource<S>(S);

impl<S: EventSource> BoundedSource<S> {
    pub(super) const fn new(source: S) -> Self {
        Self(source)
    }

    /// Opens it, which may take some attempts just after its broker started.
    pub(super) async fn open(&mut self, start: &Start) -> Result<Continuity, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match of_source("open", self.0.open(start)).await? {
                Ok(continuity) => return Ok(continuity),
                Err(error) if Instant::now() > deadline => {
                    return Err(format!("it cannot be opened: {}", words(error)));
                }
                Err(_) => sleep(POLL).await,
            }
        }
    }

    /// The next message, whatever else is said.
    pub(super) async fn message(&mut self) -> Result<S::Delivery, String> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match timeout_at(deadline, self.0.next()).await {
                Ok(Ok(Signal::Message(delivery))) => return Ok(delivery),
                Ok(Err(error)) => return Err(words(error)),
                // One that always has something else to say would let no clock go on.
                Ok(Ok(_)) => yield_now().await,
                Err(_late) => break,
            }
        }
        Err(format!("no other message came within {PATIENCE:?}"))
    }

    /// The message that comes next within so long a time, if one does; then the call is dropped.
    pub(super) async fn message_within(&mut self, limit: Duration) -> Result<Option<S::Delivery>, String> {
        match timeout(limit, self.0.next()).await {
            Ok(Ok(Signal::Message(delivery))) => Ok(Some(delivery)),
            Ok(Err(error)) => Err(words(error)),
            Ok(Ok(_)) | Err(_) => Ok(None),
        }
    }

    pub(super) async fn close(mut self) -> Result<(), String> {
        of_source("close", self.0.close()).await
    }
}

/// Acknowledges a message, and returns what it said.
pub(super) async fn acknowledge(mut delivery: impl Delivery) -> Result<String, String> {
    let said = text(&delivery);
    let acknowledged = of_source(&format!("acknowledge {said:?}"), delivery.ack()).await?;
    acknowledged.map_err(words)?;
    Ok(said)
}

fn words(error: SourceError) -> String {
    error_text(&error).into_owned()
}
