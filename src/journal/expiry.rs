//! Letting go of what need not be kept any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::domain::trust_domain::TrustDomain;
use crate::journal::database::JournalDatabase;
use crate::journal::error::JournalError;
use crate::journal::row::{RowKey, to_row};
use crate::model::timestamp::Timestamp;
use crate::state::entry::Entry;
use crate::state::snapshot::RevocationList;

/// When to look for what need not be kept any more: as a list is kept, and now and then.
#[derive(Debug)]
pub(super) struct Expiry {
    /// The list that is kept.
    list: Option<Arc<RevocationList>>,
    sweep: Option<ExpiryPass>,
    ended_at: Instant,
}

impl Expiry {
    /// Begins now, with `list` kept.
    pub(super) fn begin(&mut self, list: Arc<RevocationList>) {
        self.list = Some(list);
        self.sweep = Some(ExpiryPass::default());
    }

    /// Whether there is something to do.
    pub(super) fn is_due(&self) -> bool {
        self.due_in().is_zero()
    }

    /// How long there is nothing to do.
    pub(super) fn due_in(&self) -> Duration {
        match self.sweep {
            Some(_) => Duration::ZERO,
            None => TIDY_EVERY.saturating_sub(self.ended_at.elapsed()),
        }
    }

    /// Does some of it.
    pub(super) fn step(&mut self, book: &mut JournalDatabase, judge: &ExpiryRule<'_>) -> Result<(), JournalError> {
        let sweep = self.sweep.get_or_insert_default();
        let is_superfluous = |entry: &Entry| judge.is_superfluous(entry, self.list.as_deref());
        if !sweep.step(book, is_superfluous)? {
            self.end();
        }
        Ok(())
    }

    pub(super) fn end(&mut self) {
        self.sweep = None;
        self.ended_at = Instant::now();
    }
}

impl Default for Expiry {
    fn default() -> Self {
        Self {
            list: None,
            sweep: None,
            ended_at: Instant::now(),
        }
    }
}

/// A walk over all entries, some of them at a time so that events need not wait for its end.
#[derive(Debug, Default)]
struct ExpiryPass {
    from: Option<RowKey>,
}

impl ExpiryPass {
    /// Goes on for a bit. Returns whether there is more to do.
    fn step(
        &mut self,
        book: &mut JournalDatabase,
        is_superfluous: impl Fn(&Entry) -> bool,
    ) -> Result<bool, JournalError> {
        let (entries, next) = book.entries_from(self.from, AT_A_TIME)?;
        let superfluous: Vec<_> = entries.iter().filter(|entry| is_superfluous(entry)).collect();
        if !superfluous.is_empty() {
            book.write(|page| {
                for entry in superfluous {
                    page.entries.remove(to_row(entry).0)?;
                }
                Ok(())
            })?;
        }
        self.from = next;
        Ok(next.is_some())
    }
}

/// Who says what is superfluous.
pub(super) struct ExpiryRule<'a> {
    pub(super) domain: &'a TrustDomain,
    pub(super) now: Timestamp,
}

impl ExpiryRule<'_> {
    /// Whether the entry is in force no more, and why that is so is certain after a restart too: its time is over, or the list
    /// that is kept says it.
    fn is_superfluous(&self, entry: &Entry, kept: Option<&RevocationList>) -> bool {
        let is_held = self.domain.store.look(|state| state.overlay.get(&entry.key).is_some());
        let is_over = entry.keep_until.is_some_and(|until| until <= self.now);
        let is_listed = || {
            let listed = kept.and_then(|list| list.get(&entry.key));
            listed.is_some_and(|listed| entry.mark.is_covered_by(&listed))
        };
        !is_held && (is_over || is_listed())
    }
}

/// How many entries are looked at in one step: some 2 ms.
const AT_A_TIME: usize = 4096;

/// How often entries whose time is over are looked for: every ten minutes, as in memory.
pub(super) const TIDY_EVERY: Duration = Duration::from_secs(600);
