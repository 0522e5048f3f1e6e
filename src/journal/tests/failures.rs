//! A disk that fails while the journal is at work.

use std::fs::File;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tempfile::NamedTempFile;

use crate::common::log::UnwritableLog;
use crate::domain::persistence::{Durable, NotKept};
use crate::domain::trust_domain::TrustDomain;
use crate::journal::backoff::DiskBackoff;
use crate::journal::expiry::Expiry;
use crate::journal::request::{Item, Owes, RequestQueue, WriteRequest};
use crate::journal::tests::disk::{Disk, Fault, entry};
use crate::journal::writer::JournalWriter;
use crate::model::domain_config::DomainConfig;
use crate::model::event::Revocation;
use crate::model::key::Key;
use crate::model::timestamp::Timestamp;
use crate::status::{JournalStart, JournalStatus};

/// A writer at work on a disk.
struct RunningWriter {
    /// The file that is in use.
    disk: Arc<Mutex<Disk>>,
    commit_count: NamedTempFile,
    requests: Option<SyncSender<WriteRequest>>,
    writer: Option<JoinHandle<()>>,
    status: Arc<Mutex<JournalStatus>>,
    domain: Arc<TrustDomain>,
}

impl RunningWriter {
    /// Opens with these requests in the queue.
    fn open(items: Vec<Item>) -> (Self, Vec<Durable>) {
        let (disk, commit_count) = (Disk::default(), NamedTempFile::new().unwrap());
        let status = Arc::new(Mutex::new(JournalStatus::new("state".to_owned(), JournalStart::New)));
        let (requests, inbox) = sync_channel(100);
        let domain = Arc::new(TrustDomain::new(DomainConfig::new()));
        let database = disk.begin(commit_count.as_file());
        let disk = Arc::new(Mutex::new(disk));
        let (current, seen) = (Arc::clone(&disk), commit_count.reopen().unwrap());
        let open = move || {
            // A database that panics does so while this is held.
            let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
            let (disk, database) = current.reopen(&seen)?;
            *current = disk;
            Ok(database)
        };
        let writer = JournalWriter {
            requests: inbox,
            database: Some(database),
            open,
            domain: Arc::downgrade(&domain),
            status: Arc::clone(&status),
            asked_at: Arc::default(),
            expiry: Expiry::default(),
            backoff: DiskBackoff::default(),
            owes: Owes::default(),
        };
        let mut running = Self {
            disk,
            commit_count,
            requests: Some(requests),
            writer: None,
            status,
            domain,
        };
        let durables = items.into_iter().map(|item| running.submit(item)).collect();
        // A disk that is full is full for the log as well. What cannot be written down must not end the writer.
        let work = move || tracing::subscriber::with_default(UnwritableLog, || writer.work());
        running.writer = Some(thread::spawn(work));
        (running, durables)
    }

    fn submit(&self, item: Item) -> Durable {
        let (request, durable) = WriteRequest::new(item);
        self.requests.as_ref().unwrap().send(request).unwrap();
        durable
    }

    fn block(&self, number: usize) -> Result<(), NotKept> {
        self.submit(Item::Entries(vec![entry(number, None)])).wait()
    }

    fn status(&self) -> JournalStatus {
        self.status.lock().unwrap().clone()
    }

    fn disk(&self) -> Disk {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many entries a later process would find, were this one killed now, and were the power to fail as well.
    fn kept(&self) -> usize {
        let commit_count: File = self.commit_count.reopen().unwrap();
        let entries = |image| Disk::of(image).open(&commit_count).unwrap().entries().unwrap().len();
        let left = entries(self.disk().after_power_loss());
        left.min(entries(self.disk().image()))
    }
}

impl Drop for RunningWriter {
    fn drop(&mut self) {
        self.requests = None;
        self.writer.take().unwrap().join().unwrap();
    }
}

#[test]
fn a_burst_shares_a_sync() {
    let items = (0..64).map(|number| Item::Entries(vec![entry(number, None)]));
    let (running, durables) = RunningWriter::open(items.collect());
    let before = running.disk().syncs();
    assert!(durables.into_iter().all(|durable| durable.wait() == Ok(())));
    assert_eq!(running.kept(), 64);
    let burst = running.disk().syncs().saturating_sub(before);
    for number in 64..128 {
        running.block(number).unwrap();
    }
    let alone = running.disk().syncs() - before - burst;
    assert!(
        burst <= 4 && alone >= 64,
        "{burst} syncs for a burst, {alone} for as many one by one"
    );
}

/// Nothing is lost in silence, and nothing that was answered for is lost at all.
#[test]
fn whatever_fails_everybody_hears_of_it_and_it_goes_on_afterwards() {
    for fault in [Fault::Sync, Fault::Full, Fault::ReadOnly, Fault::Panic] {
        let (running, _) = RunningWriter::open(Vec::new());
        running.block(0).unwrap();
        running.disk().set_fault(Some(fault));
        // A database may have room for some more where the disk has none.
        let (failed, problem) = (1..100_000)
            .find_map(|number| running.block(number).err().map(|problem| (number, problem)))
            .unwrap_or_else(|| panic!("{fault:?} goes unnoticed"));
        let expected = match fault {
            Fault::Panic => "state: the database panicked",
            _ => "journal.redb: cannot be used: ",
        };
        assert!(problem.starts_with(expected), "{fault:?}: {problem}");
        let status = running.status();
        assert!(!status.durable && status.failures > 0, "{fault:?}");
        assert_eq!(status.last_error.as_deref(), Some(&*problem), "{fault:?}");
        assert!(running.block(failed).is_err(), "{fault:?}: still");
        assert!(running.kept() >= failed, "{fault:?}: what was answered for is there");

        running.disk().set_fault(None);
        while running.block(failed).is_err() {
            thread::yield_now();
        }
        assert!(running.status().durable, "{fault:?}");
        assert!(running.kept() > failed, "{fault:?}");
        for number in failed + 1..failed + 300 {
            running.block(number).unwrap();
        }
        assert!(running.kept() >= failed + 300, "{fault:?}: and it is no house of cards");
    }
}

/// Since when a log is read after a restart is for the kept list to say. An event from before it that could not be written would not
/// be told again, if the process ended before it was.
#[test]
fn what_could_not_be_written_goes_along_with_what_is_written_next() {
    let (running, _) = RunningWriter::open(Vec::new());
    running.disk().set_fault(Some(Fault::ReadOnly));
    let events = [
        Revocation::block(Key::subject("a")).into(),
        Revocation::block(Key::token("a")).into(),
        Revocation::cut_off(Key::everything()).into(),
    ];
    let (_, entries) = running.domain.store.merge_to_keep(&events, Timestamp::now());
    assert!(running.submit(Item::Entries(entries)).wait().is_err());
    running.disk().set_fault(None);
    // What comes before a list's file is replaced: the list may move the place from which a feed is read again.
    while running.submit(Item::Ready).wait().is_err() {
        thread::yield_now();
    }
    assert_eq!(running.kept(), 3);
}

/// An event that finds no room in the queue is in force, and nobody asks to write it.
#[test]
fn what_finds_no_room_on_the_desk_is_owed() {
    let (requests, _inbox) = sync_channel(1);
    let owes = Owes::default();
    let queue = RequestQueue {
        requests,
        owes: owes.clone(),
    };
    let request = |number| queue.submit(Item::Entries(vec![entry(number, None)]));
    let _waits = request(0);
    assert!(!owes.take());
    let problem = request(1).wait().unwrap_err();
    assert_eq!(&*problem, "too much waits for the journal's disk already");
    assert!(owes.take() && !owes.take());
}

/// A consumer that waited for ever would acknowledge nothing, and say nothing.
#[test]
fn whoever_is_left_without_an_answer_hears_that() {
    let (request, durable) = WriteRequest::new(Item::Ready);
    drop(request);
    assert_eq!(durable.wait(), Err("the journal's thread has ended".into()));
}
