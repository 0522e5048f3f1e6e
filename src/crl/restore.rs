//! Restoring the list that an earlier process kept.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::common::error_text::error_text;
use crate::common::log;
use crate::crl::list::{ListError, ListFormat};
use crate::domain::persistence::{KeptList, PersistLists, Unusable};
use crate::jose::key_set::KeySet;
use crate::model::timestamp::Timestamp;
use crate::sink::EventSink;

/// Puts the list in force that an earlier process kept, on a thread where blocking is allowed.
pub(super) type Restoring = Box<dyn FnOnce() -> Restored + Send>;

/// Returns what puts the list in force that an earlier process kept in the sink's journal.
pub(super) fn restoring(format: &Arc<impl ListFormat>, sink: &EventSink) -> Restoring {
    let (format, sink) = (Arc::clone(format), sink.clone());
    Box::new(move || match sink.domain().journal.get() {
        None => Restored::default(),
        Some(journal) => restore(&*format, &sink, journal.lists()),
    })
}

/// What an earlier process kept.
#[derive(Debug, Default)]
pub(super) struct Restored {
    pub(super) keys: Option<(KeySet, Arc<[u8]>)>,
    pub(super) problem: Option<String>,
}

fn restore(format: &impl ListFormat, sink: &EventSink, lists: &dyn PersistLists) -> Restored {
    let kept = match lists.kept() {
        Ok(None) => return Restored::default(),
        Ok(Some(kept)) => kept,
        Err(unusable) => return refused(sink, lists, None, &unusable),
    };
    let keys = kept
        .keys
        .as_ref()
        .and_then(|document| match format.read_keys(document) {
            Ok(keys) => Some((keys, Arc::from(&document[..]))),
            Err(error) => {
                log::warn!(error = %error_text(&error), "kept signing keys cannot be read");
                None
            }
        });
    match put_in_force(format, sink, lists, &kept, keys.as_ref().map(|(keys, _)| keys)) {
        Ok(()) => Restored { keys, problem: None },
        Err(why) => refused(sink, lists, keys, &Unusable::Damaged(why)),
    }
}

fn refused(
    sink: &EventSink,
    lists: &dyn PersistLists,
    keys: Option<(KeySet, Arc<[u8]>)>,
    unusable: &Unusable,
) -> Restored {
    // Whatever the host does about it: nobody knows any more what the list said.
    sink.domain().store.set_needs_list(true);
    let problem = lists.refuse(unusable).err().map(|problem| problem.to_string());
    Restored { keys, problem }
}

/// An error means that the list is at fault. Any other obstacle leaves the loss as it is: everybody is refused until this or a
/// later list is fetched.
fn put_in_force(
    format: &impl ListFormat,
    sink: &EventSink,
    lists: &dyn PersistLists,
    kept: &KeptList,
    keys: Option<&KeySet>,
) -> Result<(), String> {
    let store = &sink.domain().store;
    let Some(document) = kept.document.as_ref().filter(|_| !store.has_list()) else {
        return Ok(());
    };
    let none = KeySet::default();
    // It was accepted when it was fetched: what counts is whether it had expired by then.
    let list = match format.read_list(document, keys.unwrap_or(&none), kept.accepted_at) {
        Err(ListError::UnknownKey { .. }) => {
            log::warn!("kept list's signing key is no longer known: failing closed until it or a later one is fetched");
            return Ok(());
        }
        read => read.map_err(|error| error_text(&error).into_owned())?,
    };
    if list.issued_at() < kept.issued_at {
        return Err("is older than the one that was kept".to_owned());
    }
    let age = Timestamp::now().saturating_since(kept.refreshed_at);
    match store.install_kept(list, age) {
        Ok(None) => {}
        Ok(Some(list)) => {
            log::info!(entries = list.entries(), ?age, "kept revocation list installed");
            sink.domain().list_covers(&list);
            if lists.restored(kept, &list) {
                store.set_needs_list(false);
            }
        }
        Err(error) => {
            log::warn!(%error, "a newer list than the kept one was installed: failing closed until a later one is fetched");
        }
    }
    Ok(())
}

/// Why the kept list is of no use. The text names the file.
#[derive(Debug)]
pub struct RestoreError {
    problem: String,
}

impl RestoreError {
    /// An error, if there is a problem.
    pub(super) fn of(problem: Option<String>) -> Result<(), Self> {
        problem.map_or(Ok(()), |problem| Err(Self { problem }))
    }
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl Error for RestoreError {}
