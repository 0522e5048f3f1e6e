//! What the clerk is ordered to write.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};

use futures_channel::oneshot;
use redb::ReadableTable;

use crate::domain::persistence::{Durable, NotKept};
use crate::journal::database::{ACCEPTED, INCOMPLETE, ISSUED, KEYS, LOST, NEWEST, PRINT, Page, REFRESHED};
use crate::journal::digest::ListDigest;
use crate::journal::row::{from_row, join, to_row};
use crate::model::timestamp::Timestamp;
use crate::state::entry::Entry;
use crate::state::snapshot::RevocationList;

/// Something to be written, and where to say whether it was.
#[derive(Debug)]
pub(super) struct WriteRequest {
    pub(super) item: Item,
    pub(super) answer: oneshot::Sender<Result<(), NotKept>>,
}

#[derive(Debug)]
pub(super) enum Item {
    Entries(Vec<Entry>),
    /// Another list was issued then, and could not be kept although it says more.
    Incomplete(Timestamp),
    /// The issuer's signing keys.
    Keys(Vec<u8>),
    /// A list was kept.
    List {
        list: Arc<RevocationList>,
        print: ListDigest,
        keys: Option<Arc<[u8]>>,
        accepted_at: Timestamp,
    },
    /// Whatever was lost has been made up for.
    MadeGood,
    /// When the installed list was issued.
    Newest(Timestamp),
    /// Nothing, but to find out whether anything could be written.
    Ready,
    /// The kept list was confirmed.
    Refreshed(Timestamp),
    /// The list that is kept is installed. There is nothing to write.
    Restored(Arc<RevocationList>),
}

/// Where orders are given.
#[derive(Clone, Debug)]
pub(super) struct RequestQueue {
    pub(super) orders: SyncSender<WriteRequest>,
    pub(super) owes: Owes,
}

/// Whether something is in force that could not be written, and is not even ordered any more.
#[derive(Clone, Debug, Default)]
pub(super) struct Owes(Arc<AtomicBool>);

impl Owes {
    pub(super) fn note(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it was so. It is no more: whoever takes it writes all that is in force from then on.
    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}

impl RequestQueue {
    pub(super) fn order(&self, item: Item) -> Durable {
        let (order, ticket) = WriteRequest::new(item);
        match self.orders.try_send(order) {
            Err(TrySendError::Full(_)) => {
                self.owes.note();
                Durable::new(ready(Err("too much waits for the journal's disk already".into())))
            }
            // If nobody takes it, it is dropped, and the ticket knows.
            _ => ticket,
        }
    }
}

impl WriteRequest {
    /// An order, and the ticket for its answer.
    pub(super) fn new(item: Item) -> (Self, Durable) {
        let (answer, ticket) = oneshot::channel();
        let ticket = Durable::new(async {
            let answer = ticket.await;
            answer.unwrap_or_else(|_| Err("the journal's thread has ended".into()))
        });
        (Self { item, answer }, ticket)
    }
}

impl Item {
    /// Whether there is something to write.
    pub(super) const fn is_written(&self) -> bool {
        !matches!(self, Self::Ready | Self::Restored(_))
    }

    /// Writes it.
    pub(super) fn put(&self, page: &mut Page<'_>) -> Result<(), redb::Error> {
        match self {
            Self::Entries(entries) => {
                for entry in entries {
                    let (key, row) = to_row(entry);
                    let known = page.entries.get(key)?.and_then(|row| from_row(key, row.value()));
                    let row = known.map_or(row, |known| to_row(&join(&known, entry)).1);
                    page.entries.insert(key, row)?;
                }
            }
            Self::Incomplete(at) => page.raise_time(INCOMPLETE, *at)?,
            Self::Keys(keys) => drop(page.texts.insert(KEYS, &keys[..])?),
            Self::List {
                list,
                print,
                keys,
                accepted_at,
            } => {
                let issued_at = list.issued_at().unwrap_or_default();
                page.raise_time(NEWEST, issued_at)?;
                page.set_time(ISSUED, issued_at)?;
                page.set_time(ACCEPTED, *accepted_at)?;
                page.set_time(REFRESHED, *accepted_at)?;
                page.texts.insert(PRINT, print.as_bytes())?;
                let incomplete = page.numbers.get(INCOMPLETE)?.map(|at| at.value());
                // What it takes the place of was older, and all is known that was lost.
                if incomplete.is_none_or(|at| at < issued_at.as_unix_millis()) {
                    page.numbers.remove(INCOMPLETE)?;
                    page.numbers.remove(LOST)?;
                }
                if let Some(keys) = keys {
                    page.texts.insert(KEYS, &keys[..])?;
                }
            }
            Self::MadeGood => drop(page.numbers.remove(LOST)?),
            Self::Newest(issued_at) => page.raise_time(NEWEST, *issued_at)?,
            Self::Refreshed(at) => {
                // There may be none that is kept.
                if page.numbers.get(ISSUED)?.is_some() {
                    page.set_time(REFRESHED, *at)?;
                }
            }
            Self::Ready | Self::Restored(_) => {}
        }
        Ok(())
    }
}
