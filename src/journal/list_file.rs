//! Keeps the issuer's list and its signing keys.

use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::thread::JoinHandle;

use crate::common::error_text::error_text;
use crate::common::log;
use crate::domain::persistence::{Durable, Fetched, KeptList, NotKept, PersistLists, Unusable};
use crate::journal::digest::ListDigest;
use crate::journal::directory::{Directory, LIST};
use crate::journal::open::{Damage, Kept};
use crate::journal::request::{Item, RequestQueue};
use crate::model::timestamp::Timestamp;
use crate::state::snapshot::RevocationList;
use crate::status::{JournalStart, JournalStatus};

/// Keeps the list in a file of its own, and has the writer keep what goes with it.
pub(super) struct ListFile {
    queue: RequestQueue,
    status: Arc<Mutex<JournalStatus>>,
    directory: Arc<OnceLock<Directory>>,
    damage: Damage,
    known: Mutex<Known>,
}

/// What is known of the list that is kept. Held while one is written.
struct Known {
    /// What an earlier process left, until it is asked for.
    left: Option<Kept>,
    /// Whether nothing else is lost, so that the list is all that the issuer said.
    is_all: bool,
    /// The list that an earlier process kept, until it is restored or another one takes its place: its time of issue and its
    /// digest.
    missed: Option<(Timestamp, Option<ListDigest>)>,
    /// The kept list, once it is restored or another one is written.
    kept: Option<Arc<RevocationList>>,
    /// When the newest list was issued that was ever installed.
    issued_at: Option<Timestamp>,
    /// The digest of the kept list, so that the same list is not written again.
    list: Option<ListDigest>,
}

impl PersistLists for ListFile {
    fn persist(&self, fetched: &Fetched, list: &Arc<RevocationList>) -> Result<bool, NotKept> {
        let mut known = match self.known.try_lock() {
            Ok(known) => known,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err("another list is being written still".into()),
        };
        if list.issued_at() < known.issued_at {
            return Ok(false);
        }
        let digest = ListDigest::of(&fetched.document);
        if known.list == Some(digest) {
            let refreshed = self.submit(Item::Refreshed(fetched.accepted_at)).wait();
            return refreshed.map(|()| false);
        }
        let missed = known.missed.filter(|(at, _)| list.issued_at() <= Some(*at));
        if missed.is_some_and(|(_, missed)| missed != Some(digest)) {
            // It may be the one of two lists of the same second that says less. If it were kept, nobody would know that the other
            // one is lost.
            return Ok(false);
        }
        if known
            .kept_within_second_of(list)
            .is_some_and(|kept| !list.says_all_of(kept))
        {
            // Another poller was faster.
            return Ok(false);
        }
        // Where there is no database, there is no place for a list either.
        self.submit(Item::Ready).wait()?;
        self.write(&fetched.document)
            .inspect_err(|problem| self.failed(problem))?;
        // In this order: a list that is newer than the database says does no harm, but an older one is a rollback.
        let item = Item::List {
            list: Arc::clone(list),
            digest,
            keys: fetched.keys.clone(),
            accepted_at: fetched.accepted_at,
        };
        known.list = None;
        known.kept = Some(Arc::clone(list));
        self.submit(item).wait()?;
        known.list = Some(digest);
        known.missed = None;
        known.issued_at = list.issued_at();
        self.status().list_iat = list.issued_at().map(Timestamp::as_unix_secs);
        Ok(missed.is_some() && known.is_all)
    }

    fn persist_incomplete(&self, list: &RevocationList) -> Durable {
        // If a cache served an older list, the kept one says all of it. While another list is written, that is not known.
        let says_all = |known: &Known| {
            known
                .kept_within_second_of(list)
                .is_some_and(|kept| kept.says_all_of(list))
        };
        match self.known.try_lock().is_ok_and(|known| says_all(&known)) {
            true => Durable::new(ready(Ok(()))),
            false => self.submit(Item::Incomplete(list.issued_at().unwrap_or_default())),
        }
    }

    fn persist_confirmed(&self, at: Timestamp) -> Durable {
        self.submit(Item::Refreshed(at))
    }

    fn persist_keys(&self, document: &[u8]) -> Durable {
        self.submit(Item::Keys(document.to_vec()))
    }

    fn kept(&self) -> Result<Option<KeptList>, Unusable> {
        let mut known = self.known();
        let (Some(left), Some(directory)) = (&mut known.left, self.directory.get()) else {
            return Ok(None);
        };
        // If the first attempt to read it failed, this is another one.
        let reading = match left.list.take() {
            Some(reading) => Ok(reading),
            None => directory.read(LIST),
        };
        let unreadable = |cause: &dyn fmt::Display| Unusable::Unreadable(format!("cannot be read: {cause}"));
        let document = match reading.map(JoinHandle::join) {
            Ok(Ok(Ok(document))) => document,
            Ok(Ok(Err(cause))) => return Err(unreadable(&cause)),
            Ok(Err(_)) => return Err(unreadable(&"a panic")),
            Err(error) => return Err(unreadable(&error_text(&error))),
        };
        if document.is_none() && left.refreshed_at.is_some() {
            known.left = None;
            return Err(Unusable::Damaged("is missing".to_owned()));
        }
        Ok(known.left.take().map(|left| KeptList {
            document,
            keys: left.keys,
            issued_at: left.issued_at,
            accepted_at: left.accepted_at.unwrap_or_default(),
            refreshed_at: left.refreshed_at.unwrap_or_default(),
        }))
    }

    fn refuse(&self, unusable: &Unusable) -> Result<(), NotKept> {
        let (Unusable::Damaged(why) | Unusable::Unreadable(why)) = unusable;
        let Some(directory) = self.directory.get() else {
            return Ok(());
        };
        let problem = NotKept::from(format!("{}: {why}", directory.file(LIST).display()));
        if self.damage == Damage::Refuse {
            return Err(problem);
        }
        log::error!(error = %problem, "kept list is of no use: failing closed until it or a later one is fetched");
        {
            let mut status = self.status();
            status.start = JournalStart::Lost;
            status.last_error = Some(problem.to_string());
        }
        match unusable {
            // It may be good, and readable later.
            Unusable::Unreadable(_) => Ok(()),
            Unusable::Damaged(_) => directory.set_aside(&[LIST]).map_err(|error| error_text(&error).into()),
        }
    }

    fn restored(&self, kept: &KeptList, list: &Arc<RevocationList>) -> bool {
        {
            let mut status = self.status();
            status.restored_list = true;
            status.list_iat = list.issued_at().map(Timestamp::as_unix_secs);
        }
        let digest = ListDigest::of(kept.document.as_deref().unwrap_or_default());
        let list = Arc::clone(list);
        let mut known = self.known();
        if list.issued_at() < known.issued_at {
            // Another poller was faster.
            return known.is_all;
        }
        known.kept = Some(Arc::clone(&list));
        let is_the_missed = known.missed == list.issued_at().map(|at| (at, Some(digest)));
        known.missed = None;
        // Nothing waits for this: the list is kept already.
        drop(self.submit(match is_the_missed {
            true => Item::Restored(list),
            // The last process wrote the file and nothing else. The database has to know of the list before entries are removed
            // because of it.
            false => Item::List {
                list,
                digest,
                keys: None,
                accepted_at: kept.refreshed_at,
            },
        }));
        known.is_all
    }
}

impl Known {
    /// Returns the kept list if it has the same time of issue.
    fn kept_within_second_of(&self, list: &RevocationList) -> Option<&RevocationList> {
        self.kept.as_deref().filter(|kept| kept.issued_at() == list.issued_at())
    }
}

impl ListFile {
    pub(super) fn new(
        queue: RequestQueue,
        status: &Arc<Mutex<JournalStatus>>,
        directory: &Arc<OnceLock<Directory>>,
        newest: Option<Timestamp>,
        left: Kept,
        damage: Damage,
    ) -> Self {
        let is_found = status.lock().unwrap_or_else(PoisonError::into_inner).start != JournalStart::Lost;
        let known = Known {
            is_all: is_found && left.incomplete.is_none(),
            missed: left.issued_at.map(|at| (at, left.digest)),
            left: Some(left),
            kept: None,
            issued_at: newest,
            list: None,
        };
        Self {
            queue,
            status: Arc::clone(status),
            directory: Arc::clone(directory),
            damage,
            known: Mutex::new(known),
        }
    }

    /// Asks the writer to write `item`.
    pub(super) fn submit(&self, item: Item) -> Durable {
        self.queue.submit(item)
    }

    fn write(&self, document: &[u8]) -> Result<(), NotKept> {
        let directory = self.directory.get().expect("a database is open in it");
        directory
            .replace(LIST, document)
            .map_err(|error| error_text(&error).into())
    }

    /// Notes that the list could not be written.
    fn failed(&self, problem: &NotKept) {
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
