//! Messages.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;
use crate::source::event_source::{Delivery, Retry};
use crate::source::position::Position;
use crate::source::redis::dead_letters::DeadLetters;
use crate::source::redis::entry::Entry;

/// An entry of a stream. There is nothing to acknowledge: every replica remembers by itself how far it came.
pub struct RedisDelivery {
    pub(super) entry: Entry,
    pub(super) lag: Option<u64>,
    pub(super) dead_letters: Option<Arc<DeadLetters>>,
}

impl Delivery for RedisDelivery {
    fn payload(&self) -> &[u8] {
        &self.entry.payload
    }

    fn position(&self) -> Option<Position> {
        Some(Position::at(self.entry.id.0))
    }

    fn lag(&self) -> Option<u64> {
        self.lag
    }

    async fn ack(&mut self) -> Result<(), SourceError> {
        Ok(())
    }

    async fn retry(&mut self, _after: Duration) -> Result<Retry, SourceError> {
        Ok(Retry::InPlace)
    }

    async fn dead_letter(&mut self, letter: &DeadLetter) -> Result<(), SourceError> {
        match &self.dead_letters {
            Some(dead_letters) => dead_letters.store(letter).await,
            None => Ok(()),
        }
    }
}

impl fmt::Debug for RedisDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisDelivery")
            .field("id", &format_args!("{}", self.entry.id))
            .finish_non_exhaustive()
    }
}
