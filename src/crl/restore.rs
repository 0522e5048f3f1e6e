//! What an earlier process left.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::crl::keys::KeySet;
use crate::crl::list::{ListError, ListFormat};
use crate::crl::poll::Poller;
use crate::domain::words;
use crate::keep::{KeepLists, KeptList};
use crate::sink::EventSink;
use crate::timestamp::Timestamp;

impl<C, F: ListFormat> Poller<C, F> {
    /// Puts the list in force that an earlier process kept in the sink's journal (`EventSink::keep_in`, feature `journal`), and
    /// takes over the signing keys that it knew. So requests are decided at once, whether or not the registry can be reached.
    ///
    /// Does nothing without a journal. Blocks while the list is verified and indexed, some 0.5 s for a million entries.
    /// [`run`](Self::run) does the same first where this was not called.
    ///
    /// The list is as old as it is: [`max_age`](crate::RevocationLayer::with_max_age) counts from when it was last fetched or
    /// confirmed, by the wall clock, and from nothing if that was set back since.
    ///
    /// # Errors
    ///
    /// The list is missing, or isn't what the issuer signed, or is older than another that was installed: nothing is put in
    /// force. A journal that was opened by `Journal::open_or_start_empty` fails closed instead, until a list is
    /// fetched. So does a list that was signed with a key that the issuer has withdrawn since.
    pub fn restore(&mut self) -> Result<(), RestoreError> {
        let restored = self.restoring()();
        self.adopt(restored)
    }

    /// The part of it that takes its time.
    pub(super) fn restoring(&self) -> Box<dyn FnOnce() -> Restored + Send> {
        let (format, sink) = (Arc::clone(&self.format), self.sink.clone());
        Box::new(move || match sink.domain().journal.get() {
            None => Restored::default(),
            Some(journal) => restore(&*format, &sink, journal.lists()),
        })
    }

    pub(super) fn adopt(&mut self, restored: Restored) -> Result<(), RestoreError> {
        self.is_restored = true;
        if let Some(keys) = restored.keys {
            self.keys.send_replace(Arc::new(keys));
        }
        restored.problem.map_or(Ok(()), |problem| Err(RestoreError { problem }))
    }
}

/// What there was.
#[derive(Debug, Default)]
pub(super) struct Restored {
    keys: Option<KeySet>,
    problem: Option<String>,
}

fn restore(format: &impl ListFormat, sink: &EventSink, kept: &dyn KeepLists) -> Restored {
    let mut keys = None;
    let list = match kept.kept() {
        Ok(None) => return Restored::default(),
        Ok(Some(list)) => put_in_force(format, sink, kept, list, &mut keys),
        Err(problem) => Err(problem),
    };
    let problem = match list {
        Ok(()) => None,
        Err(why) => {
            // Whatever the host makes of it: what the list said is not known any more.
            sink.domain().store.lose(true);
            kept.refuse(&why).err().map(|problem| problem.to_string())
        }
    };
    Restored { keys, problem }
}

fn put_in_force(
    format: &impl ListFormat,
    sink: &EventSink,
    kept: &dyn KeepLists,
    list: KeptList,
    keys: &mut Option<KeySet>,
) -> Result<(), String> {
    if let Some(document) = list.keys {
        let read = format.read_keys(&document);
        *keys = Some(read.map_err(|error| format!("its signing keys cannot be read: {}", words(&error)))?);
    }
    let Some(document) = list.document else {
        return Ok(());
    };
    if sink.domain().store.has_list() {
        // The host has a newer one.
        return Ok(());
    }
    // It was let in when it was fetched: whether it had expired by then is what counts.
    let known = keys.clone().unwrap_or_default();
    let snapshot = match format.read_list(&document, &known, list.refreshed_at) {
        Err(ListError::UnknownKey { .. }) => {
            tracing::warn!("the kept list's signing key is known no more: failing closed until a list is fetched");
            sink.domain().store.lose(true);
            return Ok(());
        }
        read => read.map_err(|error| words(&error).into_owned())?,
    };
    let age = Timestamp::now().saturating_since(list.refreshed_at);
    let store = &sink.domain().store;
    let installed = store
        .install_kept(snapshot, age)
        .map_err(|error| words(&error).into_owned())?;
    if let Some(list) = installed {
        tracing::info!(entries = list.entries(), ?age, "kept revocation list installed");
        kept.restored(&list);
    }
    Ok(())
}

/// Why the kept list is of no use. It names the file.
#[derive(Debug)]
pub struct RestoreError {
    problem: String,
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl Error for RestoreError {}
