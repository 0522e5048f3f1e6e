//! The journal of a sink, at work.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use crate::domain::Domain;
use crate::entry::Entry;
use crate::journal::clerk::Clerk;
use crate::journal::directory::Directory;
use crate::journal::error::JournalError;
#[cfg(feature = "crl-poll")]
use crate::journal::lists::Lists;
use crate::journal::open::Journal;
use crate::journal::order::{Item, Order};
use crate::journal::patience::Patience;
use crate::journal::sweep::Tidying;
#[cfg(feature = "crl-poll")]
use crate::keep::KeepLists;
use crate::keep::{Keep, Ticket};
use crate::sink::EventSink;
use crate::status::{JournalStart, JournalStatus};
use crate::timestamp::Timestamp;

impl EventSink {
    /// Puts in force what earlier processes kept in `journal`, and keeps there what this one is told from now on.
    ///
    /// From then on [`apply`](Self::apply) and its like return when an event is durable. What was applied before is not kept, so
    /// do this before anything is. With a poller, call its `restore` next. Takes time proportional to what is kept: some
    /// 0.2 s for a million keys.
    ///
    /// The journal is closed when the last handle to this sink and its layers is gone.
    ///
    /// # Errors
    ///
    /// [`JournalError::Taken`] if the sink is kept in a journal already. [`JournalError::Failed`] if no thread can be started.
    pub fn keep_in(&self, journal: Journal) -> Result<(), JournalError> {
        let domain = self.domain();
        let path = journal.directory().to_owned();
        if domain.journal.get().is_some() {
            return Err(JournalError::Taken { path });
        }
        domain.store.restore(&journal.entries, journal.newest, Timestamp::now());
        if journal.start() == JournalStart::Lost {
            domain.store.lose(true);
        }
        let keeper = Keeper::start(journal, domain)?;
        let set = domain.journal.set(Box::new(keeper));
        set.map_err(|_| JournalError::Taken { path })
    }
}

/// Gives the orders.
struct Keeper {
    /// `None` at the end alone.
    desk: Option<Desk>,
    clerk: Option<JoinHandle<()>>,
    status: Arc<Mutex<JournalStatus>>,
    directory: Arc<OnceLock<Directory>>,
}

/// Where orders are given. The clerk works as long as there is one.
struct Desk {
    orders: Sender<Order>,
    #[cfg(feature = "crl-poll")]
    lists: Lists,
}

impl Keeper {
    fn start(journal: Journal, domain: &Arc<Domain>) -> Result<Self, JournalError> {
        let (orders, inbox) = channel();
        let path = journal.directory().to_owned();
        let status = Arc::new(Mutex::new(JournalStatus {
            directory: path.display().to_string(),
            start: journal.start(),
            restored_entries: journal.entries.len(),
            restored_list: false,
            durable: journal.book.is_some(),
            last_error: journal.problem,
            failures: u64::from(journal.book.is_none()),
            entries: journal.entries.len() as u64,
            bytes: 0,
        }));
        let mut opener = journal.opener;
        let directory = opener.directory();
        let clerk = Clerk {
            orders: inbox,
            book: journal.book,
            open: move || opener.reopen(),
            domain: Arc::downgrade(domain),
            status: Arc::clone(&status),
            tidying: Tidying::default(),
            patience: Patience::default(),
        };
        let clerk = thread::Builder::new()
            .name("revocation-journal".into())
            .spawn(move || clerk.work())
            .map_err(|cause| JournalError::failed(&path, cause))?;
        let desk = Desk {
            #[cfg(feature = "crl-poll")]
            lists: Lists::new(orders.clone(), &status, &directory, journal.kept, journal.damage),
            orders,
        };
        Ok(Self {
            desk: Some(desk),
            clerk: Some(clerk),
            status,
            directory,
        })
    }

    fn order(&self, item: Item) -> Ticket {
        let (order, ticket) = Order::new(item);
        if let Some(desk) = &self.desk {
            // If nobody takes it, it is dropped, and the ticket knows.
            let _ = desk.orders.send(order);
        }
        ticket
    }
}

impl Keep for Keeper {
    fn keep(&self, entries: Vec<Entry>) -> Ticket {
        self.order(Item::Entries(entries))
    }

    fn keep_newest(&self, issued_at: Timestamp) -> Ticket {
        self.order(Item::Newest(issued_at))
    }

    fn keep_recovered(&self) -> Ticket {
        self.order(Item::Recovered)
    }

    #[cfg(feature = "crl-poll")]
    fn lists(&self) -> &dyn KeepLists {
        &self.desk.as_ref().expect("it is there until the end").lists
    }

    fn status(&self) -> JournalStatus {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        status.bytes = self.directory.get().map_or(0, Directory::bytes);
        status
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.desk = None;
        // The clerk itself may hold the last handle to the domain for a moment.
        if let Some(clerk) = self
            .clerk
            .take()
            .filter(|clerk| clerk.thread().id() != thread::current().id())
        {
            // A panic of its has been answered for.
            let _ = clerk.join();
        }
    }
}
