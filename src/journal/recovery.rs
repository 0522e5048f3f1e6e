//! What it takes to open the book, the first time and after a failure.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use redb::backends::FileBackend;

use crate::journal::commit_count::CommitCount;
use crate::journal::database::JournalDatabase;
use crate::journal::directory::{DATABASE, Directory, LIST, LOSS, PendingRead, WITNESS, new};
use crate::journal::error::JournalError;
use crate::journal::storage::{Doubt, WatchedBackend};
use crate::model::key_secrets::{KeySecrets, KeysExist};

/// Opens the book. Holds its directory from the first success on.
pub(super) struct Recovery {
    path: PathBuf,
    directory: Arc<OnceLock<Directory>>,
    /// Whether this process knows all that the book holds. There has to be one then, and it has to be that one.
    is_known: bool,
    /// Whether what is read of the book may not be on the disk.
    doubt: Doubt,
}

impl Recovery {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            directory: Arc::default(),
            is_known: false,
            doubt: Doubt::default(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory, once it is held.
    pub(super) fn directory(&self) -> Arc<OnceLock<Directory>> {
        Arc::clone(&self.directory)
    }

    /// Opens the book; `None` if there is none, and no sign that there ever was one.
    pub(super) fn open(&self) -> Result<Option<JournalDatabase>, JournalError> {
        let directory = self.hold()?;
        let path = directory.file(DATABASE);
        let Some(file) = directory.open(DATABASE)? else {
            return match self.remains()? {
                true => Err(JournalError::damaged(&path, "is missing")),
                false => Ok(None),
            };
        };
        // It would be taken for a new one.
        if file.metadata().is_ok_and(|data| data.len() == 0) {
            return Err(JournalError::damaged(&path, "is empty"));
        }
        let backend = self.backend(file)?;
        let book = JournalDatabase::open(&path, backend, self.witness()?)?;
        // It is in its place, whatever happened after that.
        directory.remove(LOSS)?;
        Ok(Some(book))
    }

    /// The list, to be read while the book is.
    pub(super) fn list(&self) -> Result<PendingRead, JournalError> {
        self.hold()?.read(LIST)
    }

    /// Notes that all that the book holds has been taken over.
    pub(super) const fn took_over(&mut self) {
        self.is_known = true;
    }

    /// Begins a book. It is there as a whole or not at all.
    pub(super) fn create(&mut self, needs_list: bool) -> Result<JournalDatabase, JournalError> {
        let secrets = KeySecrets::keep(None).map_err(|KeysExist| JournalError::KeysExist {
            path: self.path.clone(),
        })?;
        let book = self.put_in_place(|path, backend, witness| {
            JournalDatabase::create(path, backend, witness, secrets, needs_list)
        })?;
        // Until here, a start that finds no book knows that there was one.
        self.hold()?.remove(LOSS)?;
        Ok(book)
    }

    /// Begins a new book in place of one that is of no use, which is set aside.
    pub(super) fn start_over(&mut self) -> Result<JournalDatabase, JournalError> {
        let directory = self.hold()?;
        directory.replace(LOSS, b"what was kept here was of no use, and is set aside\n")?;
        directory.set_aside(&[DATABASE, WITNESS, LIST])?;
        self.create(true)
    }

    /// Opens the book anew, after a failure: the one that this process knows, or a new one if it began without any. One that it
    /// does not know, and that is in good order, is left to a restart.
    ///
    /// What could not be synced is in the system's cache, where it reads like all else, and may never get to the disk: the system
    /// tries once. So all of it is written once more then, to another file.
    pub(super) fn reopen(&mut self) -> Result<JournalDatabase, JournalError> {
        let path = self.path.join(DATABASE);
        match self.open() {
            Ok(Some(book)) if self.is_known && book.secrets()? == KeySecrets::in_use().to_bytes() => {
                if !self.doubt.is_raised() {
                    return Ok(book);
                }
                let copied =
                    self.put_in_place(|path, backend, witness| JournalDatabase::copy(path, backend, witness, &book))?;
                self.doubt.settle();
                Ok(copied)
            }
            Ok(Some(_)) => {
                let advice = "can be used again: a restart takes over what an earlier process kept in it";
                Err(JournalError::failed(&path, advice))
            }
            Ok(None) if self.is_known => Err(JournalError::damaged(&path, "is missing")),
            Ok(None) => self.create(true),
            // This process began without it, and whatever it holds is of no use.
            Err(JournalError::Damaged { .. } | JournalError::ForeignVersion { .. }) if !self.is_known => {
                self.start_over()
            }
            Err(error) => Err(error),
        }
    }

    /// Has a new book made, and gives it the place of the one that is there.
    fn put_in_place(
        &mut self,
        make: impl FnOnce(&Path, WatchedBackend, CommitCount) -> Result<JournalDatabase, JournalError>,
    ) -> Result<JournalDatabase, JournalError> {
        let shared = self.directory();
        self.hold()?;
        let directory = shared.get().expect("it is held");
        let path = directory.file(DATABASE);
        let file = directory.create(&new(DATABASE))?;
        let made = self
            .backend(file)
            .and_then(|backend| make(&path, backend, self.witness()?));
        let mut book = made.inspect_err(|_| {
            // A half of it would take room that is wanted elsewhere.
            let _ = directory.remove(&new(DATABASE));
        })?;
        directory.put_in_place(DATABASE)?;
        self.is_known = true;
        directory.sync()?;
        book.bear_first_witness()?;
        Ok(book)
    }

    /// Whether something is left of a book that is not there.
    fn remains(&self) -> Result<bool, JournalError> {
        let directory = self.hold()?;
        Ok(directory.has(LIST)? || directory.has(LOSS)? || self.witness()?.read()?.is_some())
    }

    fn backend(&self, file: File) -> Result<WatchedBackend, JournalError> {
        let file = FileBackend::new(file).map_err(|error| JournalError::of(&self.path.join(DATABASE), error))?;
        Ok(WatchedBackend::new(file, &self.doubt))
    }

    fn witness(&self) -> Result<CommitCount, JournalError> {
        let directory = self.hold()?;
        let file = directory.open_or_create(WITNESS)?;
        Ok(CommitCount::new(&directory.file(WITNESS), file))
    }

    fn hold(&self) -> Result<&Directory, JournalError> {
        if let Some(directory) = self.directory.get() {
            return Ok(directory);
        }
        let directory = Directory::hold(&self.path)?;
        Ok(self.directory.get_or_init(|| directory))
    }
}
