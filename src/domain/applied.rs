//! Events that are in force, and are becoming durable.

use std::fmt;

use crate::domain::persistence::{Durable, NotKept};
use crate::state::accept::ApplyError;

/// Stands for events that are in force, and that become durable if there is a journal.
/// [`EventSink::apply`](crate::EventSink::apply) makes it.
///
/// Without a journal there is nothing to wait for, and both ways of waiting return at once. With a journal, a restart
/// may forget an event that is in force but not yet durable: do not acknowledge its message before it is.
///
/// Dropping it withdraws nothing.
#[must_use = "with a journal, events may be forgotten by a restart until `durable` or `wait` has returned"]
pub struct Applied {
    merged: Result<(), ApplyError>,
    durable: Option<Durable>,
}

impl Applied {
    pub(crate) const fn new(merged: Result<(), ApplyError>, durable: Option<Durable>) -> Self {
        Self { merged, durable }
    }

    /// Nothing to wait for.
    #[cfg(feature = "source")]
    pub(crate) const fn done() -> Self {
        Self::new(Ok(()), None)
    }

    /// Returns whether all is in force, and nothing has to be waited for.
    #[cfg(feature = "source")]
    pub(crate) const fn is_done(&self) -> bool {
        self.merged.is_ok() && self.durable.is_none()
    }

    /// Fails at once if some of the events are not in force.
    pub(crate) fn in_force(self) -> Result<Self, ApplyError> {
        match self.merged {
            Ok(()) => Ok(self),
            Err(error) => Err(error),
        }
    }

    /// Waits on this thread until the events are durable, for at most 10 seconds: then the disk counts as hung.
    ///
    /// Blocks for a write to disk if there is a journal: tasks use [`durable`](Self::durable) instead.
    ///
    /// # Errors
    ///
    /// Returns [`ApplyError::NotDurable`] if the journal could not store the events. They are in force nevertheless.
    pub fn wait(self) -> Result<(), ApplyError> {
        and(self.merged, self.durable.map_or(Ok(()), Durable::wait))
    }

    /// Waits as a task until the events are durable, for at most 10 seconds: then the disk counts as hung. Tasks that
    /// wait at the same time share one write.
    ///
    /// # Errors
    ///
    /// Returns [`ApplyError::NotDurable`] if the journal could not store the events. They are in force nevertheless.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future withdraws nothing.
    ///
    /// # Panics
    ///
    /// Panics with a journal outside a tokio runtime with its clock enabled.
    pub async fn durable(self) -> Result<(), ApplyError> {
        let kept = match self.durable {
            Some(durable) => durable.answer().await,
            None => Ok(()),
        };
        and(self.merged, kept)
    }
}

impl fmt::Debug for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Applied")
            .field("is_waiting", &self.durable.is_some())
            .finish_non_exhaustive()
    }
}

/// What can be repeated comes first. On the repetition, what cannot is refused again.
fn and(merged: Result<(), ApplyError>, kept: Result<(), NotKept>) -> Result<(), ApplyError> {
    match (merged, kept) {
        (Ok(()) | Err(ApplyError::FromFuture { .. }), Err(problem)) => Err(ApplyError::NotDurable { problem }),
        (merged, _) => merged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::timestamp::Timestamp;

    /// Otherwise a message would be put aside as a dead letter while other events in it are not durable.
    #[test]
    fn what_can_be_repeated_goes_before_what_cannot() {
        let latest = Timestamp::default();
        let early = || Err(ApplyError::FromFuture { refused: 1, latest });
        let full = || Err(ApplyError::AtCapacity { refused: 1 });
        let not_durable = || Err(ApplyError::NotDurable { problem: "full".into() });
        let failed = || Err("full".into());
        assert_eq!(and(Ok(()), Ok(())), Ok(()));
        assert_eq!(and(early(), Ok(())), early());
        assert_eq!(and(early(), failed()), not_durable());
        assert_eq!(and(Ok(()), failed()), not_durable());
        assert_eq!(and(full(), failed()), full());
    }
}
