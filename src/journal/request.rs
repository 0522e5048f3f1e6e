//! Requests to the thread that writes.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};

use futures_channel::oneshot;
use redb::ReadableTable;

use crate::domain::persistence::{Durable, NotKept};
use crate::journal::database::{ACCEPTED, DIGEST, FEED_READ, INCOMPLETE, ISSUED, KEYS, LOST, NEWEST, REFRESHED};
use crate::journal::digest::ListDigest;
use crate::journal::page::{LOG_END, LOG_PREFIX, Page, to_log_row};
use crate::journal::row::{join, to_row};
use crate::model::log_place::LogPosition;
use crate::model::timestamp::Timestamp;
use crate::state::entry::Entry;
use crate::state::snapshot::RevocationList;

/// Something to write, and where to send the outcome.
#[derive(Debug)]
pub(super) struct WriteRequest {
    pub(super) item: Item,
    pub(super) answer: oneshot::Sender<Result<(), NotKept>>,
}

#[derive(Debug)]
pub(super) enum Item {
    Entries(Vec<Entry>),
    /// The entries of a message, and up to where its issuer's log is known whole with it.
    Placed(Vec<Entry>, LogPosition),
    /// The feed had been read up to its end by then.
    FeedRead(Timestamp),
    /// Another list was issued at this time, and could not be kept although it says more.
    Incomplete(Timestamp),
    /// The issuer's signing keys.
    Keys(Vec<u8>),
    /// A list was kept.
    List {
        list: Arc<RevocationList>,
        digest: ListDigest,
        keys: Option<Arc<[u8]>>,
        accepted_at: Timestamp,
    },
    /// Everything that was lost is known again.
    Resynced,
    /// When the installed list was issued.
    Newest(Timestamp),
    /// Writes nothing. It only finds out whether the database can be used.
    Ready,
    /// The kept list was confirmed.
    Refreshed(Timestamp),
    /// The kept list is installed. There is nothing to write.
    Restored(Arc<RevocationList>),
}

/// The queue of requests.
#[derive(Clone, Debug)]
pub(super) struct RequestQueue {
    pub(super) requests: SyncSender<WriteRequest>,
    pub(super) owes: Owes,
}

/// Whether something is in force that could not be written, and that no request asks for any more.
#[derive(Clone, Debug, Default)]
pub(super) struct Owes(Arc<AtomicBool>);

impl Owes {
    pub(super) fn note(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Returns whether it was so, and resets it: the caller then writes all that is in force.
    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}

impl RequestQueue {
    pub(super) fn submit(&self, item: Item) -> Durable {
        let (request, durable) = WriteRequest::new(item);
        match self.requests.try_send(request) {
            Err(TrySendError::Full(_)) => {
                self.owes.note();
                Durable::new(ready(Err("too much waits for the journal's disk already".into())))
            }
            // If the writer is gone, the request is dropped, and its answer says so.
            _ => durable,
        }
    }
}

impl WriteRequest {
    /// Creates a request, and the future that waits for its answer.
    pub(super) fn new(item: Item) -> (Self, Durable) {
        let (answer, receiver) = oneshot::channel();
        let durable = Durable::new(async {
            let answer = receiver.await;
            answer.unwrap_or_else(|_| Err("the journal's thread has ended".into()))
        });
        (Self { item, answer }, durable)
    }
}

impl Item {
    /// Returns whether there is something to write.
    pub(super) const fn is_written(&self) -> bool {
        !matches!(self, Self::Ready | Self::Restored(_))
    }

    /// Writes the item.
    pub(super) fn put(&self, page: &mut Page<'_>) -> Result<(), redb::Error> {
        match self {
            Self::Entries(entries) => put_entries(entries, page)?,
            Self::Placed(entries, whole) => {
                put_entries(entries, page)?;
                put_log(*whole, page)?;
            }
            Self::Incomplete(at) => page.raise_time(INCOMPLETE, *at)?,
            Self::Keys(keys) => drop(page.texts.insert(KEYS, &keys[..])?),
            Self::List {
                list,
                digest,
                keys,
                accepted_at,
            } => {
                let issued_at = list.issued_at().unwrap_or_default();
                page.raise_time(NEWEST, issued_at)?;
                page.set_time(ISSUED, issued_at)?;
                page.set_time(ACCEPTED, *accepted_at)?;
                page.set_time(REFRESHED, *accepted_at)?;
                page.texts.insert(DIGEST, digest.as_bytes())?;
                let incomplete = page.numbers.get(INCOMPLETE)?.map(|at| at.value());
                // The list that it replaces was older, so everything that was lost is known again.
                if incomplete.is_none_or(|at| at < issued_at.as_unix_millis()) {
                    page.numbers.remove(INCOMPLETE)?;
                    page.numbers.remove(LOST)?;
                }
                if let Some(keys) = keys {
                    page.texts.insert(KEYS, &keys[..])?;
                }
            }
            Self::FeedRead(at) => page.set_time(FEED_READ, *at)?,
            Self::Resynced => drop(page.numbers.remove(LOST)?),
            Self::Newest(issued_at) => page.raise_time(NEWEST, *issued_at)?,
            Self::Refreshed(at) => {
                // There may be no kept list.
                if page.numbers.get(ISSUED)?.is_some() {
                    page.set_time(REFRESHED, *at)?;
                }
            }
            Self::Ready | Self::Restored(_) => {}
        }
        Ok(())
    }
}

fn put_entries(entries: &[Entry], page: &mut Page<'_>) -> Result<(), redb::Error> {
    for entry in entries {
        match page.entry(to_row(entry).0)? {
            Some(known) => page.set_entry(&join(&known, entry))?,
            None => page.set_entry(entry)?,
        }
    }
    Ok(())
}

/// Puts up to where a log is known whole in the table of texts. Of too many logs, the one that was written longest ago is forgotten: its
/// next message is a gap.
fn put_log(whole: LogPosition, page: &mut Page<'_>) -> Result<(), redb::Error> {
    let (name, row) = to_log_row(whole, Timestamp::now());
    let is_new = page.texts.insert(&*name, &row[..])?.is_none();
    if is_new {
        let mut logs = Vec::new();
        for row in page.texts.range(LOG_PREFIX..LOG_END)? {
            let (name, row) = row?;
            logs.push((
                row.value().get(24..).unwrap_or_default().to_vec(),
                name.value().to_owned(),
            ));
        }
        logs.sort_unstable();
        let too_many = logs.len().saturating_sub(MOST_LOGS);
        for (_, name) in logs.into_iter().take(too_many) {
            page.texts.remove(&*name)?;
        }
    }
    Ok(())
}

/// How many logs are kept.
const MOST_LOGS: usize = 64;
