//! A message that was taken in, and is becoming durable.

use std::fmt;
use std::sync::Arc;

use crate::domain::applied::Applied;
use crate::domain::ingest::ended;
use crate::domain::trust_domain::TrustDomain;
use crate::model::decode::{Disposition, Ended};

/// Stands for a message that was taken in: what it says is in force. [`EventSink::ingest`](crate::EventSink::ingest)
/// makes it.
///
/// Without a journal there is nothing to wait for, and both ways of waiting return at once.
///
/// Dropping it withdraws nothing, but the message is not counted.
#[must_use = "the message has to be acknowledged, retried or dead-lettered as `durable` or `wait` says"]
pub struct Ingested {
    domain: Arc<TrustDomain>,
    taken_in: Result<Applied, Ended>,
    /// The size of the message.
    bytes: usize,
}

impl Ingested {
    pub(crate) const fn new(domain: Arc<TrustDomain>, taken_in: Result<Applied, Ended>, bytes: usize) -> Self {
        Self {
            domain,
            taken_in,
            bytes,
        }
    }

    /// Waits on this thread until what the message says is durable, and returns what became of it.
    ///
    /// Blocks for a write to disk if there is a journal, 10 seconds at most: tasks use [`durable`](Self::durable)
    /// instead.
    pub fn wait(self) -> Disposition {
        let ended = match self.taken_in {
            Ok(applied) => ended(applied.wait()),
            Err(ended) => ended,
        };
        self.domain.disposed(ended, self.bytes)
    }

    /// Waits as a task until what the message says is durable, and returns what became of it. Waits 10 seconds at most.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future withdraws nothing, but the message is not counted.
    ///
    /// # Panics
    ///
    /// Panics with a journal outside a tokio runtime with its clock enabled.
    pub async fn durable(self) -> Disposition {
        let ended = match self.taken_in {
            Ok(applied) => ended(applied.durable().await),
            Err(ended) => ended,
        };
        self.domain.disposed(ended, self.bytes)
    }
}

impl fmt::Debug for Ingested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ingested")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}
