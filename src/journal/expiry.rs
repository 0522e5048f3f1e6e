//! Removes entries that need not be kept any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::domain::trust_domain::TrustDomain;
use crate::journal::database::JournalDatabase;
use crate::journal::error::JournalError;
use crate::journal::row::{RowKey, to_row};
use crate::model::timestamp::Timestamp;
use crate::state::entry::Entry;
use crate::state::snapshot::RevocationList;

/// Decides when to look for such entries: when a list is kept, and now and then.
#[derive(Debug)]
pub(super) struct Expiry {
    /// The list that is kept.
    list: Option<Arc<RevocationList>>,
    pass: Option<ExpiryPass>,
    ended_at: Instant,
}

impl Expiry {
    /// Begins a pass now, with `list` as the kept one.
    pub(super) fn begin(&mut self, list: Arc<RevocationList>) {
        self.list = Some(list);
        self.pass = Some(ExpiryPass::default());
    }

    /// Returns whether there is something to do.
    pub(super) fn is_due(&self) -> bool {
        self.due_in().is_zero()
    }

    /// Returns how long there is nothing to do.
    pub(super) fn due_in(&self) -> Duration {
        match self.pass {
            Some(_) => Duration::ZERO,
            None => TIDY_EVERY.saturating_sub(self.ended_at.elapsed()),
        }
    }

    /// Does a part of the pass.
    pub(super) fn step(&mut self, database: &mut JournalDatabase, rule: &ExpiryRule<'_>) -> Result<(), JournalError> {
        let pass = self.pass.get_or_insert_default();
        let is_superfluous = |entry: &Entry| rule.is_superfluous(entry, self.list.as_deref());
        if !pass.step(database, is_superfluous)? {
            self.end();
        }
        Ok(())
    }

    pub(super) fn end(&mut self) {
        self.pass = None;
        self.ended_at = Instant::now();
    }
}

impl Default for Expiry {
    fn default() -> Self {
        Self {
            list: None,
            pass: None,
            ended_at: Instant::now(),
        }
    }
}

/// A pass over all entries, some of them at a time so that events need not wait for its end.
#[derive(Debug, Default)]
struct ExpiryPass {
    from: Option<RowKey>,
}

impl ExpiryPass {
    /// Does the next part. Returns whether there is more to do.
    fn step(
        &mut self,
        database: &mut JournalDatabase,
        is_superfluous: impl Fn(&Entry) -> bool,
    ) -> Result<bool, JournalError> {
        let (entries, next) = database.entries_from(self.from, AT_A_TIME)?;
        let superfluous: Vec<_> = entries.iter().filter(|entry| is_superfluous(entry)).collect();
        if !superfluous.is_empty() {
            database.write(|page| {
                for entry in superfluous {
                    page.remove_entry(to_row(entry).0)?;
                }
                Ok(())
            })?;
        }
        self.from = next;
        Ok(next.is_some())
    }
}

/// The rule that says what is superfluous.
pub(super) struct ExpiryRule<'a> {
    pub(super) domain: &'a TrustDomain,
    pub(super) now: Timestamp,
}

impl ExpiryRule<'_> {
    /// Returns whether the entry is no longer in force, for a reason that holds after a restart too: its time is over, or the
    /// kept list says the same.
    fn is_superfluous(&self, entry: &Entry, kept: Option<&RevocationList>) -> bool {
        let is_held = self.domain.store.look(|state| state.overlay.get(&entry.key).is_some());
        let is_over = entry.keep_until.is_some_and(|until| until <= self.now);
        let is_listed = || {
            let listed = kept.and_then(|list| list.get(&entry.key));
            let is_spared_by = |list: &RevocationList| entry.cut_off().refuses_no_more_than(&list.cut_off(&entry.key));
            listed.is_some_and(|listed| entry.key_state.is_covered_by(&listed)) && kept.is_some_and(is_spared_by)
        };
        !is_held && (is_over || is_listed())
    }
}

/// How many entries are looked at in one step: some 2 ms.
const AT_A_TIME: usize = 4096;

/// How often entries whose time is over are looked for: every ten minutes, as in memory.
pub(super) const TIDY_EVERY: Duration = Duration::from_secs(600);
