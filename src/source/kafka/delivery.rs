//! Messages.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;
use crate::source::event_source::{Delivery, Retry};
use crate::source::kafka::dead_letters::DeadLetters;
use crate::source::position::Position;

/// A record of a topic. There is nothing to acknowledge: every replica remembers by itself how far it came.
pub struct KafkaDelivery {
    pub(super) payload: Vec<u8>,
    pub(super) position: Position,
    pub(super) lag: u64,
    pub(super) dead_letters: Option<Arc<DeadLetters>>,
}

impl Delivery for KafkaDelivery {
    fn payload(&self) -> &[u8] {
        &self.payload
    }

    fn position(&self) -> Option<Position> {
        Some(self.position)
    }

    /// Those of its partition.
    fn lag(&self) -> Option<u64> {
        Some(self.lag)
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

impl fmt::Debug for KafkaDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaDelivery")
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
