//! The crate, spoken to in the model's words.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use proptest::prelude::*;
use tower_revocation::{
    Applied, ApplyError, Credential, EventSink, InstallError, Revocation, RevocationLayer, RevocationList, Unknown,
    Verdict,
};

use super::naive::{Decision, Declined, Limits, List, Naive, Refused};
use super::statement::{AHEAD, Epoch, Statement, credentials, key, reason};

/// One process with a trust domain in it.
pub(crate) struct Process {
    pub(crate) sink: EventSink,
    pub(crate) epoch: Epoch,
}

impl Process {
    pub(crate) fn new(limits: Limits) -> Self {
        let (_layer, sink) = RevocationLayer::pair(|_: &()| None::<Credential>);
        sink.configure(|config| {
            config
                .with_max_age(Duration::from_secs(limits.max_age))
                .with_retention(Duration::from_secs(limits.retention))
                .with_capacity(NonZeroUsize::new(limits.capacity).unwrap())
        });
        let epoch = Epoch::new();
        Self { sink, epoch }
    }

    pub(crate) fn apply(&self, events: &[Statement]) -> Result<(), Refused> {
        let events = events.iter().map(|statement| self.epoch.event(statement));
        self.sink
            .apply_all(events)
            .and_then(Applied::wait)
            .map_err(|error| match error {
                ApplyError::AtCapacity { refused } => Refused::AtCapacity(refused),
                ApplyError::FromFuture { refused, .. } => Refused::FromFuture(refused),
                other => panic!("{other}"),
            })
    }

    pub(crate) fn install(&self, list: &List) -> Result<(), Declined> {
        let Some(issued_at) = list.issued_at else {
            return self.sink.install_none().map_err(declined);
        };
        let half_secs = if list.is_expired { 0 } else { AHEAD };
        let mut snapshot = RevocationList::builder(self.epoch.at(issued_at * 2)).with_expiry(self.epoch.at(half_secs));
        for (number, listed) in &list.entries {
            let entry = match listed.is_block {
                true => Revocation::block(key(*number)),
                false => Revocation::cut_off(key(*number)),
            };
            snapshot.push(
                &entry
                    .at(self.epoch.at(listed.at_secs * 2))
                    .because(reason(listed.withdraws)),
            );
        }
        self.sink.install(snapshot.build()).map_err(declined)
    }

    /// Asks all that can be asked, and compares it with what the model says.
    pub(crate) fn compare(
        &self,
        model: &Naive,
        when: impl fmt::Debug,
        mut note: impl FnMut(Decision),
    ) -> Result<(), TestCaseError> {
        for (keys, iat) in credentials() {
            let decision = self.decide(&keys, iat);
            let expected = model.decide(&keys, iat);
            prop_assert_eq!(decision, expected, "{:?} of {:?} after {:?}", keys, iat, when);
            note(decision);
        }
        Ok(())
    }

    fn decide(&self, keys: &BTreeSet<u8>, iat: Option<u64>) -> Decision {
        let mut credential = Credential::new();
        credential.extend(keys.iter().copied().map(key));
        if let Some(iat) = iat {
            credential = credential.with_issued_at(self.epoch.at(iat));
        }
        match self.sink.decide(&credential) {
            Verdict::Admit => Decision::Admitted,
            Verdict::Revoked(_) => Decision::Refused,
            Verdict::Unknown(Unknown::NoSnapshot) => Decision::NoList,
            Verdict::Unknown(Unknown::Stale { .. }) => Decision::Stale,
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn declined(error: InstallError) -> Declined {
    match error {
        InstallError::Expired { .. } => Declined::Expired,
        InstallError::FromFuture { .. } => Declined::FromFuture,
        InstallError::NothingToConfirm => Declined::NothingToConfirm,
        InstallError::Rollback { .. } => Declined::Rollback,
        InstallError::Unsigned { .. } => Declined::Unsigned,
        other => panic!("{other}"),
    }
}
