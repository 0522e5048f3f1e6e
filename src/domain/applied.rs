//! Events on their way to becoming durable.

use std::fmt;

use crate::domain::persistence::{Durable, NotKept};
use crate::state::accept::ApplyError;

/// Stands for events that are in force, and that become durable if there is a journal. Made by
/// [`EventSink::apply`](crate::EventSink::apply).
///
/// Without a journal there is nothing to wait for, and both ways of waiting return at once. With one, an event that was not
/// waited for is in force and may be forgotten by a restart: do not acknowledge its message before that.
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

    /// There is nothing to wait for.
    #[cfg(feature = "source")]
    pub(crate) const fn done() -> Self {
        Self::new(Ok(()), None)
    }

    /// Fails at once if some of the events are not in force.
    pub(crate) fn in_force(self) -> Result<Self, ApplyError> {
        match self.merged {
            Ok(()) => Ok(self),
            Err(error) => Err(error),
        }
    }

    /// Waits on this thread until the events are durable, or until the disk is taken to hang (10 seconds).
    ///
    /// Blocks for a write to disk if there is a journal: tasks use [`durable`](Self::durable).
    ///
    /// # Errors
    ///
    /// Returns [`ApplyError::NotDurable`] if the journal could not keep them. They are in force all the same.
    pub fn wait(self) -> Result<(), ApplyError> {
        and(self.merged, self.durable.map_or(Ok(()), Durable::wait))
    }

    /// Waits as a task until the events are durable, or until the disk is taken to hang (10 seconds). Those that wait at the
    /// same time share one write.
    ///
    /// # Errors
    ///
    /// Returns [`ApplyError::NotDurable`] if the journal could not keep them. They are in force all the same.
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

/// What can be repeated goes first: what cannot is refused again then.
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

    /// A dead letter would be put aside while the events beside it are not durable.
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
