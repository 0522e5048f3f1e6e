//! Events on their way to becoming durable.

use crate::domain::persistence::{Durable, NotKept};
use crate::state::accept::ApplyError;

/// Events that are in force as far as they were not refused, and have to become durable if there is a journal.
#[must_use]
pub(crate) struct Pending {
    merged: Result<(), ApplyError>,
    ticket: Option<Durable>,
}

impl Pending {
    pub(crate) const fn new(merged: Result<(), ApplyError>, ticket: Option<Durable>) -> Self {
        Self { merged, ticket }
    }

    /// There is nothing to wait for.
    #[cfg(feature = "source")]
    pub(crate) const fn done() -> Self {
        Self::new(Ok(()), None)
    }

    /// Waits on this thread.
    pub(crate) fn wait(self) -> Result<(), ApplyError> {
        and(self.merged, self.ticket.map_or(Ok(()), Durable::wait))
    }

    /// Waits as a task.
    pub(crate) async fn durable(self) -> Result<(), ApplyError> {
        let kept = match self.ticket {
            Some(ticket) => ticket.answer().await,
            None => Ok(()),
        };
        and(self.merged, kept)
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
