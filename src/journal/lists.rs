//! Keeping the issuer's list and its signing keys.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::domain::words;
use crate::journal::directory::{Directory, LIST};
use crate::journal::open::{Damage, Kept};
use crate::journal::order::{Item, Order};
use crate::keep::{KeepLists, KeptList, Problem, Ticket};
use crate::snapshot::Snapshot;
use crate::status::{JournalStart, JournalStatus};
use crate::timestamp::Timestamp;

/// Keeps the list in a file of its own, and has the clerk keep what goes with it.
pub(super) struct Lists {
    orders: Sender<Order>,
    status: Arc<Mutex<JournalStatus>>,
    directory: Arc<OnceLock<Directory>>,
    damage: Damage,
    known: Mutex<Known>,
}

/// What is known of the documents that are kept.
#[derive(Debug, Default)]
struct Known {
    /// What an earlier process left, until it is asked for.
    left: Option<Kept>,
    /// A hash of the list that is kept, so that the same is not written again and again.
    list: Option<u64>,
}

impl KeepLists for Lists {
    fn keep(&self, document: &[u8], list: &Arc<Snapshot>) -> Result<(), Problem> {
        let mut known = self.known();
        let (hash, refreshed_at) = (hash(document), Timestamp::now());
        if known.list == Some(hash) {
            return self.order(Item::Refreshed(refreshed_at)).wait();
        }
        let written = match self.directory.get() {
            Some(directory) => directory.replace(LIST, document).map_err(|error| words(&error).into()),
            None => Err(self.status().last_error.clone().unwrap_or_default().into()),
        };
        written.inspect_err(|problem| self.failed(problem))?;
        // In this order: a list that is newer than the database knows of is as good, an older one a rollback.
        let list = Arc::clone(list);
        self.order(Item::List { list, refreshed_at }).wait()?;
        known.list = Some(hash);
        Ok(())
    }

    fn keep_confirmed(&self, at: Timestamp) -> Ticket {
        self.order(Item::Refreshed(at))
    }

    fn keep_keys(&self, document: &[u8]) -> Ticket {
        self.order(Item::Keys(document.to_vec()))
    }

    fn kept(&self) -> Result<Option<KeptList>, String> {
        let Some(left) = self.known().left.take() else {
            return Ok(None);
        };
        let document = match self.directory.get() {
            Some(directory) => directory.read(LIST).map_err(|error| words(&error).into_owned())?,
            None => None,
        };
        if document.is_none() && left.refreshed_at.is_some() {
            return Err("is missing".to_owned());
        }
        Ok(Some(KeptList {
            document,
            keys: left.keys,
            refreshed_at: left.refreshed_at.unwrap_or_default(),
        }))
    }

    fn refuse(&self, why: &str) -> Result<(), Problem> {
        let path = self.directory.get().map(|directory| directory.file(LIST));
        let problem = Problem::from(format!("{}: {why}", path.unwrap_or_default().display()));
        match (self.damage, self.directory.get()) {
            (Damage::StartEmpty, Some(directory)) => {
                tracing::error!(error = %problem, "kept list is of no use: failing closed until one is fetched");
                let aside = directory.set_aside(&[LIST]);
                let mut status = self.status();
                status.start = JournalStart::Lost;
                status.last_error = Some(problem.to_string());
                aside.map_err(|error| words(&error).into())
            }
            _ => Err(problem),
        }
    }

    fn restored(&self, list: &Arc<Snapshot>) {
        self.status().restored_list = true;
        // Nothing to wait for: it is kept already.
        drop(self.order(Item::Restored(Arc::clone(list))));
    }
}

impl Lists {
    pub(super) fn new(
        orders: Sender<Order>,
        status: &Arc<Mutex<JournalStatus>>,
        directory: &Arc<OnceLock<Directory>>,
        left: Kept,
        damage: Damage,
    ) -> Self {
        let known = Known {
            left: Some(left),
            list: None,
        };
        Self {
            orders,
            status: Arc::clone(status),
            directory: Arc::clone(directory),
            damage,
            known: Mutex::new(known),
        }
    }

    fn order(&self, item: Item) -> Ticket {
        let (order, ticket) = Order::new(item);
        // If nobody takes it, it is dropped, and the ticket knows.
        let _ = self.orders.send(order);
        ticket
    }

    /// Notes that the list could not be written.
    fn failed(&self, problem: &Problem) {
        let mut status = self.status();
        status.failures += 1;
        status.last_error = Some(problem.to_string());
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self) -> MutexGuard<'_, JournalStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(document: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    document.hash(&mut hasher);
    hasher.finish()
}
