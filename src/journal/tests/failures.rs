//! A disk that fails while the journal is at work.

use std::fs::File;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tempfile::NamedTempFile;

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

/// A clerk at work on a disk.
struct Office {
    /// The file that is in use.
    disk: Arc<Mutex<Disk>>,
    witness: NamedTempFile,
    orders: Option<SyncSender<WriteRequest>>,
    clerk: Option<JoinHandle<()>>,
    status: Arc<Mutex<JournalStatus>>,
    domain: Arc<TrustDomain>,
}

impl Office {
    /// Opens with these orders on the desk.
    fn open(items: Vec<Item>) -> (Self, Vec<Durable>) {
        let (disk, witness) = (Disk::default(), NamedTempFile::new().unwrap());
        let status = Arc::new(Mutex::new(JournalStatus::new("state".to_owned(), JournalStart::New)));
        let (orders, inbox) = sync_channel(100);
        let domain = Arc::new(TrustDomain::new(DomainConfig::new()));
        let book = disk.begin(witness.as_file());
        let disk = Arc::new(Mutex::new(disk));
        let (current, seen) = (Arc::clone(&disk), witness.reopen().unwrap());
        let open = move || {
            // A database that panics does so while this is held.
            let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
            let (disk, book) = current.reopen(&seen)?;
            *current = disk;
            Ok(book)
        };
        let clerk = JournalWriter {
            orders: inbox,
            book: Some(book),
            open,
            domain: Arc::downgrade(&domain),
            status: Arc::clone(&status),
            asked_at: Arc::default(),
            tidying: Expiry::default(),
            patience: DiskBackoff::default(),
            owes: Owes::default(),
        };
        let mut office = Self {
            disk,
            witness,
            orders: Some(orders),
            clerk: None,
            status,
            domain,
        };
        let tickets = items.into_iter().map(|item| office.order(item)).collect();
        office.clerk = Some(thread::spawn(move || clerk.work()));
        (office, tickets)
    }

    fn order(&self, item: Item) -> Durable {
        let (order, ticket) = WriteRequest::new(item);
        self.orders.as_ref().unwrap().send(order).unwrap();
        ticket
    }

    fn block(&self, number: usize) -> Result<(), NotKept> {
        self.order(Item::Entries(vec![entry(number, None)])).wait()
    }

    fn status(&self) -> JournalStatus {
        self.status.lock().unwrap().clone()
    }

    fn disk(&self) -> Disk {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many entries a later process would find, were this one killed now, and were the power to fail as well.
    fn kept(&self) -> usize {
        let witness: File = self.witness.reopen().unwrap();
        let entries = |image| Disk::of(image).open(&witness).unwrap().entries().unwrap().len();
        let left = entries(self.disk().after_power_loss());
        left.min(entries(self.disk().image()))
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.orders = None;
        self.clerk.take().unwrap().join().unwrap();
    }
}

#[test]
fn a_burst_shares_a_sync() {
    let items = (0..64).map(|number| Item::Entries(vec![entry(number, None)]));
    let (office, tickets) = Office::open(items.collect());
    let before = office.disk().syncs();
    assert!(tickets.into_iter().all(|ticket| ticket.wait() == Ok(())));
    assert_eq!(office.kept(), 64);
    let burst = office.disk().syncs().saturating_sub(before);
    for number in 64..128 {
        office.block(number).unwrap();
    }
    let alone = office.disk().syncs() - before - burst;
    assert!(
        burst <= 4 && alone >= 64,
        "{burst} syncs for a burst, {alone} for as many one by one"
    );
}

/// Nothing is lost in silence, and nothing that was answered for is lost at all.
#[test]
fn whatever_fails_everybody_hears_of_it_and_it_goes_on_afterwards() {
    for fault in [Fault::Sync, Fault::Full, Fault::ReadOnly, Fault::Panic] {
        let (office, _) = Office::open(Vec::new());
        office.block(0).unwrap();
        office.disk().set_fault(Some(fault));
        // A database may have room for some more where the disk has none.
        let (failed, problem) = (1..100_000)
            .find_map(|number| office.block(number).err().map(|problem| (number, problem)))
            .unwrap_or_else(|| panic!("{fault:?} goes unnoticed"));
        let expected = match fault {
            Fault::Panic => "state: the database panicked",
            _ => "journal.redb: cannot be used: ",
        };
        assert!(problem.starts_with(expected), "{fault:?}: {problem}");
        let status = office.status();
        assert!(!status.durable && status.failures > 0, "{fault:?}");
        assert_eq!(status.last_error.as_deref(), Some(&*problem), "{fault:?}");
        assert!(office.block(failed).is_err(), "{fault:?}: still");
        assert!(office.kept() >= failed, "{fault:?}: what was answered for is there");

        office.disk().set_fault(None);
        while office.block(failed).is_err() {
            thread::yield_now();
        }
        assert!(office.status().durable, "{fault:?}");
        assert!(office.kept() > failed, "{fault:?}");
        for number in failed + 1..failed + 300 {
            office.block(number).unwrap();
        }
        assert!(office.kept() >= failed + 300, "{fault:?}: and it is no house of cards");
    }
}

/// Since when a log is read after a restart is for the kept list to say. An event from before it that could not be written would not
/// be told again, if the process ended before it was.
#[test]
fn what_could_not_be_written_goes_along_with_what_is_written_next() {
    let (office, _) = Office::open(Vec::new());
    office.disk().set_fault(Some(Fault::ReadOnly));
    let events = [
        Revocation::block(Key::subject("a")).into(),
        Revocation::block(Key::token("a")).into(),
        Revocation::cut_off(Key::everything()).into(),
    ];
    let (_, entries) = office.domain.store.merge_to_keep(&events, Timestamp::now());
    assert!(office.order(Item::Entries(entries)).wait().is_err());
    office.disk().set_fault(None);
    // What comes before a list's file is replaced: the list may move the place from which a feed is read again.
    while office.order(Item::Ready).wait().is_err() {
        thread::yield_now();
    }
    assert_eq!(office.kept(), 3);
}

/// An event that finds no room in the queue is in force, and was never ordered to be written.
#[test]
fn what_finds_no_room_on_the_desk_is_owed() {
    let (orders, _inbox) = sync_channel(1);
    let owes = Owes::default();
    let desk = RequestQueue {
        orders,
        owes: owes.clone(),
    };
    let order = |number| desk.order(Item::Entries(vec![entry(number, None)]));
    let _waits = order(0);
    assert!(!owes.take());
    let problem = order(1).wait().unwrap_err();
    assert_eq!(&*problem, "too much waits for the journal's disk already");
    assert!(owes.take() && !owes.take());
}

/// A consumer that waited for ever would acknowledge nothing, and say nothing.
#[test]
fn whoever_is_left_without_an_answer_hears_that() {
    let (order, ticket) = WriteRequest::new(Item::Ready);
    drop(order);
    assert_eq!(ticket.wait(), Err("the journal's thread has ended".into()));
}
