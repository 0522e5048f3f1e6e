//! A sink's handle to its journal.

use std::convert::Infallible;
use std::mem;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::common::log;
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
use crate::model::log_place::LogPosition;
use crate::model::timestamp::Timestamp;
use crate::sink::EventSink;
use crate::state::entry::Entry;
use crate::state::store::SeenLists;
use crate::state::view::FeedReading;
use crate::status::{JournalStart, JournalStatus};

impl EventSink {
    /// Puts in force what earlier processes kept in `journal`, and keeps there what this process learns from now on.
    ///
    /// From then on [`apply`](Self::apply) and the like return when an event is durable. What was applied before is not kept, so
    /// call this first. With a poller, call its `restore` next. Takes time proportional to what is kept: some
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
        // What lists say is not among the entries. Something is missing until the kept list is restored, or one of a later second
        // is installed.
        let needs_list = journal.start() == JournalStart::Lost
            || journal.kept.refreshed_at.is_some()
            || journal.kept.incomplete.is_some();
        // Another list of the same second may say less.
        let missed = journal.kept.incomplete.max(journal.kept.issued_at);
        if domain.journal.get().is_some() {
            return Err(JournalError::Taken { path });
        }
        let max_age = domain.store.look(|state| state.policy.max_age);
        let is_recent = |at| Timestamp::now().saturating_since(at) <= max_age;
        if journal.kept.feed_read.is_some_and(is_recent) {
            domain.store.set_feed(FeedReading::Read);
        }
        // This comes before anything that this sink learns meanwhile can be kept.
        if needs_list {
            domain.store.set_needs_list(true);
        }
        domain
            .store
            .restore(&entries, SeenLists { newest, missed }, Timestamp::now());
        domain.restore_issuer_logs(mem::take(&mut journal.issuer_logs));
        let handle = JournalHandle::start(journal, entries.len(), domain)?;
        let set = domain.journal.set(Box::new(handle));
        set.map_err(|_| JournalError::Taken { path })
    }
}

/// Sends requests to the thread that writes.
struct JournalHandle {
    /// `None` only while the handle is dropped: the writer works as long as there is a sender of requests.
    lists: Option<ListFile>,
    writer: Option<JoinHandle<()>>,
    /// Disconnected when the writer has ended.
    ended: Mutex<Receiver<Infallible>>,
    status: Arc<Mutex<JournalStatus>>,
    /// When the writer began to wait for the disk.
    asked_at: Arc<Mutex<Option<Instant>>>,
    directory: Arc<OnceLock<Directory>>,
}

impl JournalHandle {
    fn start(journal: Journal, restored: usize, domain: &Arc<TrustDomain>) -> Result<Self, JournalError> {
        let (requests, inbox) = sync_channel(MOST_WAITING);
        let (path, start) = (journal.directory().to_owned(), journal.start());
        let status = Arc::new(Mutex::new(JournalStatus {
            restored_entries: restored,
            entries: restored as u64,
            durable: journal.database.is_some(),
            last_error: journal.problem,
            failures: u64::from(journal.database.is_none()),
            ..JournalStatus::new(path.display().to_string(), start)
        }));
        let (asked_at, owes) = (Arc::default(), Owes::default());
        let mut recovery = journal.recovery;
        let directory = recovery.directory();
        let writer = JournalWriter {
            requests: inbox,
            database: journal.database,
            open: move || recovery.reopen(),
            domain: Arc::downgrade(domain),
            status: Arc::clone(&status),
            asked_at: Arc::clone(&asked_at),
            expiry: Expiry::default(),
            backoff: DiskBackoff::default(),
            owes: owes.clone(),
        };
        let (ends, ended) = channel();
        let work = move || {
            writer.work();
            drop(ends);
        };
        let writer = thread::Builder::new()
            .name("revocation-journal".into())
            .spawn(work)
            .map_err(|cause| JournalError::failed(&path, cause))?;
        Ok(Self {
            lists: Some(ListFile::new(
                RequestQueue { requests, owes },
                &status,
                &directory,
                journal.newest,
                journal.kept,
                journal.damage,
            )),
            writer: Some(writer),
            ended: Mutex::new(ended),
            status,
            asked_at,
            directory,
        })
    }

    fn list_file(&self) -> &ListFile {
        self.lists.as_ref().expect("it is there until the end")
    }
}

impl Persist for JournalHandle {
    fn persist(&self, entries: Vec<Entry>, whole: Option<LogPosition>) -> Durable {
        let item = match whole {
            None => Item::Entries(entries),
            Some(whole) => Item::Placed(entries, whole),
        };
        self.list_file().submit(item)
    }

    fn persist_newest(&self, issued_at: Timestamp) -> Durable {
        self.list_file().submit(Item::Newest(issued_at))
    }

    fn persist_resynced(&self) -> Durable {
        self.list_file().submit(Item::Resynced)
    }

    fn persist_feed_read(&self, at: Timestamp) -> Durable {
        self.list_file().submit(Item::FeedRead(at))
    }

    fn lists(&self) -> &dyn PersistLists {
        self.list_file()
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
        // The writer itself may hold the last handle to the domain for a moment.
        let Some(writer) = self
            .writer
            .take()
            .filter(|writer| writer.thread().id() != thread::current().id())
        else {
            return;
        };
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        match ended.recv_timeout(LONGEST_FAREWELL) {
            // A panic of the writer has been answered already.
            Err(RecvTimeoutError::Disconnected) => drop(writer.join()),
            _ => log::warn!("journal's disk hangs: its thread is left behind"),
        }
    }
}

/// Notes a disk that has not answered for too long: it counts as one that fails. Returns whether that is so.
fn note_hang(status: &mut JournalStatus, asked_at: Option<Instant>) -> bool {
    let waited = asked_at.map(|at| at.elapsed()).filter(|waited| *waited >= LONGEST_WAIT);
    if let Some(waited) = waited {
        status.durable = false;
        let (directory, secs) = (&status.directory, waited.as_secs());
        status.last_error = Some(format!("{directory}: the disk has not answered for {secs} s"));
    }
    waited.is_some()
}

/// How many requests may wait for the disk; more are refused.
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
