//! A row of the outbox.

use std::fmt;
use std::sync::Arc;

use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;
use crate::source::event_source::Delivery;
use crate::source::landmark::Landmark;
use crate::source::log::LogDeadLetters;
use crate::source::position::Position;

/// A row of the outbox. It has no position as long as older transactions run, and then comes again.
pub struct PostgresDelivery {
    pub(super) event: String,
    /// `None` as long as its place is not final.
    pub(super) place: Option<(Position, Landmark)>,
    pub(super) dead_letters: Option<Arc<dyn LogDeadLetters>>,
}

impl Delivery for PostgresDelivery {
    fn payload(&self) -> &[u8] {
        self.event.as_bytes()
    }

    fn position(&self) -> Option<Position> {
        self.place.map(|(position, _)| position)
    }

    fn landmark(&self) -> Option<Landmark> {
        self.place.map(|(_, landmark)| landmark)
    }

    fn comes_again(&self) -> bool {
        self.place.is_none()
    }

    fn needs_ack(&self) -> bool {
        false
    }

    async fn ack(&mut self) -> Result<(), SourceError> {
        Ok(())
    }

    async fn dead_letter(&mut self, letter: &DeadLetter) -> Result<(), SourceError> {
        match &self.dead_letters {
            Some(dead_letters) => dead_letters.store(letter).await,
            None => Ok(()),
        }
    }
}

impl fmt::Debug for PostgresDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresDelivery")
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}
