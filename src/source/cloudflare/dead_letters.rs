//! Where messages are put aside.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use crate::source::cloudflare::connection::{Api, ApiClient};
use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;

/// A queue for dead letters. All clones are one.
#[derive(Clone)]
pub(super) struct CloudflareDeadLetters {
    queue: Arc<str>,
    /// Until when none may be published.
    closed_until: Arc<Mutex<Option<Instant>>>,
}

impl CloudflareDeadLetters {
    pub(super) fn new(queue: String) -> Self {
        Self {
            queue: queue.into(),
            closed_until: Arc::default(),
        }
    }

    /// Publishes one. Publishing, unlike all else, counts against the account's limit of requests: all dead letters keep away
    /// when one was told to.
    pub(super) async fn store<C: ApiClient>(&self, api: Api<C>, letter: &DeadLetter) -> Result<(), SourceError> {
        let closed_until = || self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        if closed_until().is_some_and(|until| Instant::now() < until) {
            return Err(SourceError::new("Cloudflare asked for a pause in publishing"));
        }
        let published = api.publish(&self.queue, letter);
        published.await.map_err(|failure| {
            if let Some(pause) = failure.retry_after {
                *closed_until() = Some(Instant::now() + pause);
            }
            failure.error
        })
    }
}
