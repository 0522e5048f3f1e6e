//! The journal of a sink, at work.

use std::convert::Infallible;
use std::mem;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::domain::persistence::{Durable, LONGEST_WAIT, Persist, PersistLists};
use crate::domain::trust_domain::TrustDomain;
use crate::journal::backoff::DiskBackoff;
use crate::journal::directory::Directory;
use crate::journal::error::JournalError;
use crate::journal::expiry::Expiry;
use crate::journal::list_file::ListFile;
use crate::journal::open::Journal;
use crate::journal::request::{Item, Owes, RequestQueue};
use crate::journal::writer::JournalWriter;
use crate::model::timestamp::Timestamp;
use crate::sink::EventSink;
use crate::state::entry::Entry;
use crate::state::store::SeenLists;
use crate::status::{JournalStart, JournalStatus};

impl EventSink {
    /// Puts in force what earlier processes kept in `journal`, and keeps there what this one is told from now on.
    ///
    /// From then on [`apply`](Self::apply) and its like return when an event is durable. What was applied before is not kept, so
    /// do this before anything is. With a poller, call its `restore` next. Takes time proportional to what is kept: some
    /// 0.2 s for a million keys.
    ///
    /// The journal is closed when the last handle to this sink and its layers is gone, or a moment later.
    ///
    /// # Errors
    ///
    /// [`JournalError::Taken`] if the sink is kept in a journal already. [`JournalError::Failed`] if no thread can be started.
    pub fn keep_in(&self, mut journal: Journal) -> Result<(), JournalError> {
        let domain = self.domain();
        let path = journal.directory().to_owned();
        let (entries, newest) = (mem::take(&mut journal.entries), journal.newest);
        // What lists say is not among the entries: until the kept one is restored, or one of a later second is there, something is
        // missing.
        let needs_list = journal.start() == JournalStart::Lost
            || journal.kept.refreshed_at.is_some()
            || journal.kept.incomplete.is_some();
        // Another list of that second may say less.
        let missed = journal.kept.incomplete.max(journal.kept.issued_at);
        if domain.journal.get().is_some() {
            return Err(JournalError::Taken { path });
        }
        // Before anything that is said to this sink meanwhile can be kept.
        if needs_list {
            domain.store.set_needs_list(true);
        }
        domain
            .store
            .restore(&entries, SeenLists { newest, missed }, Timestamp::now());
        let keeper = JournalHandle::start(journal, entries.len(), domain)?;
        let set = domain.journal.set(Box::new(keeper));
        set.map_err(|_| JournalError::Taken { path })
    }
}

/// Gives the orders.
struct JournalHandle {
    /// `None` at the end alone: the clerk works as long as there is one.
    lists: Option<ListFile>,
    clerk: Option<JoinHandle<()>>,
    /// Disconnected when the clerk has ended.
    ended: Mutex<Receiver<Infallible>>,
    status: Arc<Mutex<JournalStatus>>,
    /// Since when the clerk has waited for the disk.
    asked_at: Arc<Mutex<Option<Instant>>>,
    directory: Arc<OnceLock<Directory>>,
}

impl JournalHandle {
    fn start(journal: Journal, restored: usize, domain: &Arc<TrustDomain>) -> Result<Self, JournalError> {
        let (orders, inbox) = sync_channel(MOST_WAITING);
        let (path, start) = (journal.directory().to_owned(), journal.start());
        let status = Arc::new(Mutex::new(JournalStatus {
            restored_entries: restored,
            entries: restored as u64,
            durable: journal.book.is_some(),
            last_error: journal.problem,
            failures: u64::from(journal.book.is_none()),
            ..JournalStatus::new(path.display().to_string(), start)
        }));
        let (asked_at, owes) = (Arc::default(), Owes::default());
        let mut opener = journal.opener;
        let directory = opener.directory();
        let clerk = JournalWriter {
            orders: inbox,
            book: journal.book,
            open: move || opener.reopen(),
            domain: Arc::downgrade(domain),
            status: Arc::clone(&status),
            asked_at: Arc::clone(&asked_at),
            tidying: Expiry::default(),
            patience: DiskBackoff::default(),
            owes: owes.clone(),
        };
        let (ends, ended) = channel();
        let work = move || {
            clerk.work();
            drop(ends);
        };
        let clerk = thread::Builder::new()
            .name("revocation-journal".into())
            .spawn(work)
            .map_err(|cause| JournalError::failed(&path, cause))?;
        Ok(Self {
            lists: Some(ListFile::new(
                RequestQueue { orders, owes },
                &status,
                &directory,
                journal.newest,
                journal.kept,
                journal.damage,
            )),
            clerk: Some(clerk),
            ended: Mutex::new(ended),
            status,
            asked_at,
            directory,
        })
    }

    fn desk(&self) -> &ListFile {
        self.lists.as_ref().expect("it is there until the end")
    }
}

impl Persist for JournalHandle {
    fn persist(&self, entries: Vec<Entry>) -> Durable {
        self.desk().order(Item::Entries(entries))
    }

    fn persist_newest(&self, issued_at: Timestamp) -> Durable {
        self.desk().order(Item::Newest(issued_at))
    }

    fn persist_resynced(&self) -> Durable {
        self.desk().order(Item::MadeGood)
    }

    fn lists(&self) -> &dyn PersistLists {
        self.desk()
    }

    fn status(&self) -> JournalStatus {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let asked_at = *self.asked_at.lock().unwrap_or_else(PoisonError::into_inner);
        let hangs = note_hang(&mut status, asked_at);
        if !hangs {
            status.bytes = self.directory.get().map_or(0, Directory::bytes);
        }
        status
    }
}

impl Drop for JournalHandle {
    fn drop(&mut self) {
        self.lists = None;
        // The clerk itself may hold the last handle to the domain for a moment.
        let Some(clerk) = self
            .clerk
            .take()
            .filter(|clerk| clerk.thread().id() != thread::current().id())
        else {
            return;
        };
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        match ended.recv_timeout(LONGEST_FAREWELL) {
            // A panic of its has been answered for.
            Err(RecvTimeoutError::Disconnected) => drop(clerk.join()),
            _ => tracing::warn!("journal's disk hangs: its thread is left behind"),
        }
    }
}

/// A disk that does not answer is as good as one that fails. Returns whether that is so.
fn note_hang(status: &mut JournalStatus, asked_at: Option<Instant>) -> bool {
    let waited = asked_at.map(|at| at.elapsed()).filter(|waited| *waited >= LONGEST_WAIT);
    if let Some(waited) = waited {
        status.durable = false;
        let (directory, secs) = (&status.directory, waited.as_secs());
        status.last_error = Some(format!("{directory}: the disk has not answered for {secs} s"));
    }
    waited.is_some()
}

/// How many orders may wait for the disk; more are refused.
const MOST_WAITING: usize = 16_384;

/// How long to wait for the last write.
const LONGEST_FAREWELL: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_hangs_shows() {
        let status = |since: Option<Duration>| {
            let mut status = JournalStatus::new("state".to_owned(), JournalStart::New);
            note_hang(&mut status, since.and_then(|since| Instant::now().checked_sub(since)));
            (status.durable, status.last_error)
        };
        assert_eq!(status(None), (true, None));
        assert_eq!(status(Some(LONGEST_WAIT / 2)), (true, None));
        let words = "state: the disk has not answered for 10 s".to_owned();
        assert_eq!(status(Some(LONGEST_WAIT)), (false, Some(words)));
    }
}
