//! The thread that writes.

use std::mem;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use crate::common::error_text::error_text;
use crate::common::host_code::guarded;
use crate::common::log;
use crate::domain::persistence::NotKept;
use crate::domain::trust_domain::TrustDomain;
use crate::journal::backoff::DiskBackoff;
use crate::journal::database::JournalDatabase;
use crate::journal::error::JournalError;
use crate::journal::expiry::{Expiry, ExpiryRule, TIDY_EVERY};
use crate::journal::request::{Item, Owes, WriteRequest};
use crate::model::timestamp::Timestamp;
use crate::status::JournalStatus;

/// Carries out requests on a thread of its own. All requests that come while it writes become one commit, so that a burst
/// shares one sync.
///
/// If a write fails, everybody who waits is told why. After a failed write nobody knows which part of it is on disk, so the
/// database is closed, and opened again at growing intervals until that succeeds. Meanwhile requests are refused at once.
/// The next write includes all that is in force, since a refused caller is asked to try again but may not do so.
pub(super) struct JournalWriter<O> {
    pub(super) requests: Receiver<WriteRequest>,
    /// Closed after a failure.
    pub(super) database: Option<JournalDatabase>,
    pub(super) open: O,
    pub(super) domain: Weak<TrustDomain>,
    pub(super) status: Arc<Mutex<JournalStatus>>,
    /// When the disk was last asked for something that it has not done yet.
    pub(super) asked_at: Arc<Mutex<Option<Instant>>>,
    pub(super) expiry: Expiry,
    pub(super) backoff: DiskBackoff,
    pub(super) owes: Owes,
}

impl<O: FnMut() -> Result<JournalDatabase, JournalError>> JournalWriter<O> {
    /// Works until there is nobody left who could send requests.
    pub(super) fn work(mut self) {
        while let Some(requests) = self.next() {
            if !requests.is_empty() {
                let (items, waiting): (Vec<_>, Vec<_>) = requests
                    .into_iter()
                    .map(|request| (request.item, request.answer))
                    .unzip();
                let outcome = self.attempt(|writer| writer.write(&items));
                for answer in waiting {
                    let outcome = outcome.clone();
                    // The caller may not wait; and wakers may do anything.
                    let _ = guarded(|| answer.send(outcome));
                }
            }
            if self.may_tidy() && self.expiry.is_due() {
                // If it fails, the next attempt comes with the next request.
                let _ = self.attempt(Self::tidy);
            }
        }
    }

    /// Returns all requests that have come in. Waits for one unless there is something else to do. `None` at the end.
    fn next(&self) -> Option<Vec<WriteRequest>> {
        let pause = match self.may_tidy() {
            true => self.expiry.due_in(),
            false => TIDY_EVERY,
        };
        let mut requests = match self.requests.recv_timeout(pause) {
            Ok(request) => vec![request],
            Err(RecvTimeoutError::Timeout) => Vec::new(),
            Err(RecvTimeoutError::Disconnected) => return None,
        };
        requests.extend(self.requests.try_iter().take(MOST_AT_ONCE));
        Some(requests)
    }

    const fn may_tidy(&self) -> bool {
        self.database.is_some()
    }

    /// Works with the database. If that fails, closes the database and notes why.
    fn attempt(&mut self, work: impl FnOnce(&mut Self) -> Result<(), JournalError>) -> Result<(), NotKept> {
        if let Some(problem) = self.backoff.problem() {
            return Err(problem);
        }
        // A database that panics counts as one that fails.
        self.note_asked(Some(Instant::now()));
        let outcome = guarded(|| work(self));
        self.note_asked(None);
        let problem: NotKept = match outcome {
            Ok(Ok(())) => {
                self.went_well();
                return Ok(());
            }
            Ok(Err(error)) => error_text(&error).into(),
            Err(panic) => format!("{}: the database panicked: {panic}", self.status().directory).into(),
        };
        let database = self.database.take();
        let _ = guarded(|| drop(database));
        self.backoff.note_failure(&problem);
        self.owes.note();
        let was_durable = {
            let mut status = self.status();
            status.failures += 1;
            status.last_error = Some(problem.to_string());
            mem::replace(&mut status.durable, false)
        };
        if was_durable {
            log::error!(error = %problem, "journal cannot be written: events are in force, but not durable");
        }
        Err(problem)
    }

    fn note_asked(&self, at: Option<Instant>) {
        *self.asked_at.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    fn went_well(&mut self) {
        self.backoff = DiskBackoff::default();
        let was_durable = mem::replace(&mut self.status().durable, true);
        if !was_durable {
            log::info!("journal can be written again");
        }
    }

    fn write(&mut self, items: &[Item]) -> Result<(), JournalError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => (self.open)()?,
        };
        let database = self.database.insert(database);
        // This is written before the requests: a kept list may move the position from which a feed is read again.
        let owes = self.owes.take();
        if owes || items.iter().any(Item::is_written) {
            // This goes with everything else, in case that it could not be written when it was requested.
            let store = self.domain.upgrade();
            let store = store.as_ref().map(|domain| &domain.store);
            let newest = store.and_then(|store| store.look(|state| state.snapshot()?.issued_at()));
            let newest = newest.map(Item::Newest);
            let owed = store.filter(|_| owes).map(|store| store.entries(Timestamp::now()));
            let owed = owed.map(Item::Entries);
            let items = items.iter().chain(&newest).chain(&owed);
            database.write(|page| items.clone().try_for_each(|item| item.put(page)))?;
        }
        let entries = database.len()?;
        self.status().entries = entries;
        for item in items {
            if let Item::List { list, .. } | Item::Restored(list) = item {
                self.expiry.begin(Arc::clone(list));
            }
        }
        Ok(())
    }

    fn tidy(&mut self) -> Result<(), JournalError> {
        let (Some(database), Some(domain)) = (&mut self.database, self.domain.upgrade()) else {
            self.expiry.end();
            return Ok(());
        };
        let rule = ExpiryRule {
            domain: &domain,
            now: Timestamp::now(),
        };
        self.expiry.step(database, &rule)?;
        let entries = database.len()?;
        self.status().entries = entries;
        Ok(())
    }

    fn status(&self) -> MutexGuard<'_, JournalStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many requests become one commit at most.
const MOST_AT_ONCE: usize = 4096;
