//! Opens the database, the first time and after a failure.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use redb::backends::FileBackend;

use crate::journal::commit_count::CommitCount;
use crate::journal::database::JournalDatabase;
use crate::journal::directory::{COMMIT_COUNT, DATABASE, Directory, LIST, LOSS, PendingRead, new};
use crate::journal::error::JournalError;
use crate::journal::storage::{Doubt, WatchedBackend};
use crate::model::key_secrets::{KeySecrets, KeysExist};

/// Opens the database. Holds its directory from the first success on.
pub(super) struct Recovery {
    path: PathBuf,
    directory: Arc<OnceLock<Directory>>,
    /// Whether this process knows all that the database holds. Then the database has to exist, and to be the same.
    is_known: bool,
    /// Whether something that can be read of the database may not be on the disk.
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

    /// Returns the directory, which is there once it is held.
    pub(super) fn directory(&self) -> Arc<OnceLock<Directory>> {
        Arc::clone(&self.directory)
    }

    /// Opens the database. `None` if there is none, and no sign that there ever was one.
    pub(super) fn open(&self) -> Result<Option<JournalDatabase>, JournalError> {
        let directory = self.hold()?;
        let path = directory.file(DATABASE);
        let Some(file) = directory.open(DATABASE)? else {
            return match self.remains()? {
                true => Err(JournalError::damaged(&path, "is missing")),
                false => Ok(None),
            };
        };
        // An empty file would be taken for a new database.
        if file.metadata().is_ok_and(|data| data.len() == 0) {
            return Err(JournalError::damaged(&path, "is empty"));
        }
        let backend = self.backend(file)?;
        let database = JournalDatabase::open(&path, backend, self.commit_count()?)?;
        // The database is in its place, whatever happened after that.
        directory.remove(LOSS)?;
        Ok(Some(database))
    }

    /// Starts reading the list, at the same time as the database.
    pub(super) fn list(&self) -> Result<PendingRead, JournalError> {
        self.hold()?.read(LIST)
    }

    /// Notes that all that the database holds has been taken over.
    pub(super) const fn took_over(&mut self) {
        self.is_known = true;
    }

    /// Creates a database. It is there as a whole or not at all.
    pub(super) fn create(&mut self, needs_list: bool) -> Result<JournalDatabase, JournalError> {
        let secrets = KeySecrets::keep(None).map_err(|KeysExist| JournalError::KeysExist {
            path: self.path.clone(),
        })?;
        let database = self.put_in_place(|path, backend, commit_count| {
            JournalDatabase::create(path, backend, commit_count, secrets, needs_list)
        })?;
        // Up to here, a start that finds no database knows that there was one.
        self.hold()?.remove(LOSS)?;
        Ok(database)
    }

    /// Sets a database aside that is of no use, and creates another one in its place.
    pub(super) fn start_over(&mut self) -> Result<JournalDatabase, JournalError> {
        let directory = self.hold()?;
        directory.replace(LOSS, b"what was kept here was of no use, and is set aside\n")?;
        directory.set_aside(&[DATABASE, COMMIT_COUNT, LIST])?;
        self.create(true)
    }

    /// Opens the database again after a failure: the one that this process knows, or a new one if the process began without any. A
    /// good database that the process does not know is left to a restart.
    ///
    /// After a failed sync, data is in the system's cache, where it can be read, and may never get to the disk: the system tries
    /// only once. So everything is then written once more, to another file.
    pub(super) fn reopen(&mut self) -> Result<JournalDatabase, JournalError> {
        let path = self.path.join(DATABASE);
        match self.open() {
            Ok(Some(database)) if self.is_known && database.secrets()? == KeySecrets::in_use().to_bytes() => {
                if !self.doubt.is_raised() {
                    return Ok(database);
                }
                let copied = self.put_in_place(|path, backend, commit_count| {
                    JournalDatabase::copy(path, backend, commit_count, &database)
                })?;
                self.doubt.settle();
                Ok(copied)
            }
            Ok(Some(_)) => {
                let advice = "can be used again: a restart takes over what an earlier process kept in it";
                Err(JournalError::failed(&path, advice))
            }
            Ok(None) if self.is_known => Err(JournalError::damaged(&path, "is missing")),
            Ok(None) => self.create(true),
            // This process began without the database, and what it holds is of no use.
            Err(JournalError::Damaged { .. } | JournalError::ForeignVersion { .. }) if !self.is_known => {
                self.start_over()
            }
            Err(error) => Err(error),
        }
    }

    /// Makes a new database, and puts it in the place of the old one.
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
            .and_then(|backend| make(&path, backend, self.commit_count()?));
        let mut database = made.inspect_err(|_| {
            // Half of a file would take room that is needed elsewhere.
            let _ = directory.remove(&new(DATABASE));
        })?;
        directory.put_in_place(DATABASE)?;
        self.is_known = true;
        directory.sync()?;
        database.write_first_count()?;
        Ok(database)
    }

    /// Returns whether something is left of a database that is missing.
    fn remains(&self) -> Result<bool, JournalError> {
        let directory = self.hold()?;
        Ok(directory.has(LIST)? || directory.has(LOSS)? || self.commit_count()?.read()?.is_some())
    }

    fn backend(&self, file: File) -> Result<WatchedBackend, JournalError> {
        let file = FileBackend::new(file).map_err(|error| JournalError::of(&self.path.join(DATABASE), error))?;
        Ok(WatchedBackend::new(file, &self.doubt))
    }

    fn commit_count(&self) -> Result<CommitCount, JournalError> {
        let directory = self.hold()?;
        let file = directory.open_or_create(COMMIT_COUNT)?;
        Ok(CommitCount::new(&directory.file(COMMIT_COUNT), file))
    }

    fn hold(&self) -> Result<&Directory, JournalError> {
        if let Some(directory) = self.directory.get() {
            return Ok(directory);
        }
        let directory = Directory::hold(&self.path)?;
        Ok(self.directory.get_or_init(|| directory))
    }
}
