//! A message of a log.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::common::error_text::error_text;
use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;
use crate::source::event_source::Delivery;
use crate::source::landmark::Landmark;
use crate::source::position::Position;

/// A message of a log.
///
/// There is nothing to acknowledge, since every replica remembers by itself how far it came, and nobody who could deliver it
/// again. A dead letter is stored where the log's [place for them](LogDeadLetters) is, and reading goes on.
pub struct LogDelivery {
    payload: Bytes,
    position: Position,
    landmark: Option<Landmark>,
    lag: Option<u64>,
    defect: Option<Box<str>>,
    dead_letters: Option<Arc<dyn LogDeadLetters>>,
}

/// Where a log's dead letters are stored.
pub trait LogDeadLetters: Send + Sync {
    /// Stores a letter where somebody looks, if possible [once](DeadLetter::key) for all replicas.
    fn store<'s>(&'s self, letter: &'s DeadLetter) -> Storing<'s>;
}

/// A dead letter that is being stored.
pub type Storing<'s> = Pin<Box<dyn Future<Output = Result<(), SourceError>> + Send + 's>>;

impl LogDelivery {
    /// Returns what was published at a position.
    #[must_use]
    pub fn new(payload: impl Into<Bytes>, position: Position) -> Self {
        Self {
            payload: payload.into(),
            position,
            landmark: None,
            lag: None,
            defect: None,
            dead_letters: None,
        }
    }

    /// Adds by what to [recognize the log](Landmark).
    #[must_use]
    pub const fn with_landmark(mut self, landmark: Landmark) -> Self {
        self.landmark = Some(landmark);
        self
    }

    /// Adds how many messages come after it, if that is known.
    #[must_use]
    pub const fn with_lag(mut self, lag: Option<u64>) -> Self {
        self.lag = lag;
        self
    }

    /// Adds why what is there [is no message](Delivery::defect).
    #[must_use]
    pub fn with_defect(mut self, why: &SourceError) -> Self {
        self.defect = Some(error_text(why).into());
        self
    }

    /// Adds where it is stored if it is a dead letter. By default it is stored nowhere.
    #[must_use]
    pub fn with_dead_letters(mut self, dead_letters: Option<Arc<dyn LogDeadLetters>>) -> Self {
        self.dead_letters = dead_letters;
        self
    }

    #[cfg(any(feature = "kafka", feature = "redis"))]
    pub(super) const fn at(&self) -> Position {
        self.position
    }
}

impl Delivery for LogDelivery {
    fn payload(&self) -> &[u8] {
        &self.payload
    }

    fn position(&self) -> Option<Position> {
        Some(self.position)
    }

    fn landmark(&self) -> Option<Landmark> {
        self.landmark
    }

    fn defect(&self) -> Option<&str> {
        self.defect.as_deref()
    }

    fn needs_ack(&self) -> bool {
        false
    }

    fn lag(&self) -> Option<u64> {
        self.lag
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

impl fmt::Debug for LogDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogDelivery")
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
