//! What the clerk is ordered to write.

use std::sync::Arc;

use futures_channel::oneshot;
use redb::ReadableTable;

use crate::entry::Entry;
use crate::journal::book::{KEYS, LOST, NEWEST, Page, REFRESHED};
use crate::journal::row::{from_row, join, to_row};
use crate::keep::{Problem, Ticket};
use crate::snapshot::Snapshot;
use crate::timestamp::Timestamp;

/// Something to be written, and where to say whether it was.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) item: Item,
    pub(super) answer: oneshot::Sender<Result<(), Problem>>,
}

#[derive(Debug)]
pub(super) enum Item {
    Entries(Vec<Entry>),
    /// The issuer's signing keys.
    Keys(Vec<u8>),
    /// A list was kept.
    List {
        list: Arc<Snapshot>,
        refreshed_at: Timestamp,
    },
    /// A list was installed.
    Newest(Timestamp),
    /// Whatever was lost has been made up for.
    Recovered,
    /// The kept list was confirmed.
    Refreshed(Timestamp),
    /// The list that is kept is installed. There is nothing to write.
    Restored(Arc<Snapshot>),
}

impl Order {
    /// An order, and the ticket for its answer.
    pub(super) fn new(item: Item) -> (Self, Ticket) {
        let (answer, ticket) = oneshot::channel();
        let ticket = Ticket::new(async {
            let answer = ticket.await;
            answer.unwrap_or_else(|_| Err("the journal's thread has ended".into()))
        });
        (Self { item, answer }, ticket)
    }
}

impl Item {
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
            Self::Keys(keys) => drop(page.texts.insert(KEYS, &keys[..])?),
            Self::List { list, refreshed_at } => {
                if let Some(issued_at) = list.issued_at() {
                    Self::Newest(issued_at).put(page)?;
                }
                Self::Refreshed(*refreshed_at).put(page)?;
            }
            Self::Newest(issued_at) => {
                Self::Recovered.put(page)?;
                let known = page.numbers.get(NEWEST)?.map_or(0, |known| known.value());
                page.numbers.insert(NEWEST, known.max(issued_at.as_unix_millis()))?;
            }
            Self::Recovered => drop(page.numbers.remove(LOST)?),
            Self::Refreshed(at) => drop(page.numbers.insert(REFRESHED, at.as_unix_millis())?),
            Self::Restored(_) => {}
        }
        Ok(())
    }
}
