//! How a fresh list is got after a gap.

use std::future::Future;

use crate::sink::EventSink;
use crate::source::error::SourceError;

/// Gets a list that makes up for a gap in the feed, and installs it. Closures that return a future are.
pub trait Resync: Send + Sync {
    /// Fetches a list, all of it after this was called, and installs it through the sink.
    ///
    /// # Errors
    ///
    /// The loop asks again later, and reads on meanwhile.
    fn resync(&self, sink: &EventSink) -> impl Future<Output = Result<(), SourceError>> + Send;
}

impl<F, T> Resync for F
where
    F: Fn(EventSink) -> T + Send + Sync,
    T: Future<Output = Result<(), SourceError>> + Send,
{
    fn resync(&self, sink: &EventSink) -> impl Future<Output = Result<(), SourceError>> + Send {
        self(sink.clone())
    }
}

/// Has the crate's own poller fetch it (feature `crl-poll`). The default.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByPoller;

impl Resync for ByPoller {
    async fn resync(&self, sink: &EventSink) -> Result<(), SourceError> {
        sink.domain().refreshed().await;
        // The next fetch starts a second later at the earliest, so this is about the one that was waited for.
        let health = sink.domain().health();
        match &health.poll.last_error {
            // Whether it could be kept is of no matter to the gap.
            Some(error) if !health.poll.is_in_force => {
                Err(SourceError::new("no list was fetched").because(error.clone()))
            }
            _ => Ok(()),
        }
    }
}
