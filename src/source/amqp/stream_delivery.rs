//! A message of a stream.

use std::sync::Arc;
use std::time::Duration;

use crate::source::amqp::dead_letters::DeadLetters;
use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;
use crate::source::event_source::{Delivery, Retry};
use crate::source::position::Position;

/// A message of an [`AmqpStream`](super::AmqpStream).
///
/// Acknowledging it does nothing: the broker keeps no place for a reader of a stream.
#[derive(Debug)]
pub struct AmqpStreamDelivery {
    pub(super) payload: Vec<u8>,
    pub(super) offset: u64,
    pub(super) lag: Option<u64>,
    pub(super) dead_letters: Option<Arc<DeadLetters>>,
}

impl Delivery for AmqpStreamDelivery {
    fn payload(&self) -> &[u8] {
        &self.payload
    }

    fn position(&self) -> Option<Position> {
        Some(Position::at(self.offset.into()))
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
            Some(dead_letters) => dead_letters.store(letter, letter.key().as_deref()).await,
            None => Ok(()),
        }
    }
}
