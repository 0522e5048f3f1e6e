//! The thread that writes.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use crate::common::error_text::error_text;
use crate::domain::persistence::NotKept;
use crate::domain::trust_domain::TrustDomain;
use crate::journal::backoff::DiskBackoff;
use crate::journal::database::JournalDatabase;
use crate::journal::error::JournalError;
use crate::journal::expiry::{Expiry, ExpiryRule, TIDY_EVERY};
use crate::journal::request::{Item, Owes, WriteRequest};
use crate::model::timestamp::Timestamp;
use crate::status::JournalStatus;

/// Writes what it is ordered to, on a thread of its own: all that was ordered while it wrote becomes one commit, so that a
/// burst shares one sync.
///
/// When writing fails, everybody who waits hears why. The database is closed, since after a failed write nobody knows what of
/// it is on disk, and opened anew, at growing intervals as long as that fails too. Meanwhile orders are refused at once. What
/// memory holds goes along with what is written next: whoever was refused is asked to come again, and may not.
pub(super) struct JournalWriter<O> {
    pub(super) orders: Receiver<WriteRequest>,
    /// Closed after a failure.
    pub(super) book: Option<JournalDatabase>,
    pub(super) open: O,
    pub(super) domain: Weak<TrustDomain>,
    pub(super) status: Arc<Mutex<JournalStatus>>,
    /// Since when the disk has been asked for something.
    pub(super) asked_at: Arc<Mutex<Option<Instant>>>,
    pub(super) tidying: Expiry,
    pub(super) patience: DiskBackoff,
    pub(super) owes: Owes,
}

impl<O: FnMut() -> Result<JournalDatabase, JournalError>> JournalWriter<O> {
    /// Works until nobody is left to give orders.
    pub(super) fn work(mut self) {
        while let Some(orders) = self.next() {
            if !orders.is_empty() {
                let (items, waiting): (Vec<_>, Vec<_>) =
                    orders.into_iter().map(|order| (order.item, order.answer)).unzip();
                let outcome = self.attempt(|clerk| clerk.write(&items));
                for answer in waiting {
                    let outcome = outcome.clone();
                    // Whoever doesn't wait doesn't care; and wakers may do anything.
                    let _ = catch_unwind(AssertUnwindSafe(|| answer.send(outcome)));
                }
            }
            if self.may_tidy() && self.tidying.is_due() {
                // It is tried again when something else is to be written.
                let _ = self.attempt(Self::tidy);
            }
        }
    }

    /// All orders that have come in; waits for one unless there is something else to do. `None` at the end.
    fn next(&self) -> Option<Vec<WriteRequest>> {
        let pause = match self.may_tidy() {
            true => self.tidying.due_in(),
            false => TIDY_EVERY,
        };
        let mut orders = match self.orders.recv_timeout(pause) {
            Ok(order) => vec![order],
            Err(RecvTimeoutError::Timeout) => Vec::new(),
            Err(RecvTimeoutError::Disconnected) => return None,
        };
        orders.extend(self.orders.try_iter().take(MOST_AT_ONCE));
        Some(orders)
    }

    const fn may_tidy(&self) -> bool {
        self.book.is_some()
    }

    /// Does something with the book; if it fails, closes the book and notes why.
    fn attempt(&mut self, work: impl FnOnce(&mut Self) -> Result<(), JournalError>) -> Result<(), NotKept> {
        if let Some(problem) = self.patience.lacks() {
            return Err(problem);
        }
        // A database that panics is as good as one that fails.
        self.note_asked(Some(Instant::now()));
        let outcome = catch_unwind(AssertUnwindSafe(|| work(self)));
        self.note_asked(None);
        let problem: NotKept = match outcome {
            Ok(Ok(())) => {
                self.went_well();
                return Ok(());
            }
            Ok(Err(error)) => error_text(&error).into(),
            Err(_) => format!("{}: the database panicked", self.status().directory).into(),
        };
        let book = self.book.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(book)));
        self.patience.lose(&problem);
        self.owes.note();
        let was_durable = {
            let mut status = self.status();
            status.failures += 1;
            status.last_error = Some(problem.to_string());
            mem::replace(&mut status.durable, false)
        };
        if was_durable {
            tracing::error!(error = %problem, "journal cannot be written: events are in force, but not durable");
        }
        Err(problem)
    }

    fn note_asked(&self, at: Option<Instant>) {
        *self.asked_at.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    fn went_well(&mut self) {
        self.patience = DiskBackoff::default();
        let was_durable = mem::replace(&mut self.status().durable, true);
        if !was_durable {
            tracing::info!("journal can be written again");
        }
    }

    fn write(&mut self, items: &[Item]) -> Result<(), JournalError> {
        let book = match self.book.take() {
            Some(book) => book,
            None => (self.open)()?,
        };
        let book = self.book.insert(book);
        // Before anything that is asked for now: a list that is to be kept may move the place from which a feed is read again.
        let owes = self.owes.take();
        if owes || items.iter().any(Item::is_written) {
            // Along with everything else, in case that it could not be written when it was ordered.
            let store = self.domain.upgrade();
            let store = store.as_ref().map(|domain| &domain.store);
            let newest = store.and_then(|store| store.look(|state| state.snapshot()?.issued_at()));
            let newest = newest.map(Item::Newest);
            let owed = store.filter(|_| owes).map(|store| store.entries(Timestamp::now()));
            let owed = owed.map(Item::Entries);
            let items = items.iter().chain(&newest).chain(&owed);
            book.write(|page| items.clone().try_for_each(|item| item.put(page)))?;
        }
        let entries = book.len()?;
        self.status().entries = entries;
        for item in items {
            if let Item::List { list, .. } | Item::Restored(list) = item {
                self.tidying.begin(Arc::clone(list));
            }
        }
        Ok(())
    }

    fn tidy(&mut self) -> Result<(), JournalError> {
        let (Some(book), Some(domain)) = (&mut self.book, self.domain.upgrade()) else {
            self.tidying.end();
            return Ok(());
        };
        let judge = ExpiryRule {
            domain: &domain,
            now: Timestamp::now(),
        };
        self.tidying.step(book, &judge)?;
        let entries = book.len()?;
        self.status().entries = entries;
        Ok(())
    }

    fn status(&self) -> MutexGuard<'_, JournalStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many orders become one commit at most.
const MOST_AT_ONCE: usize = 4096;
