//! What it takes to open the book, the first time and after a failure.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use redb::backends::FileBackend;

use crate::journal::book::Book;
use crate::journal::directory::{DATABASE, Directory, LIST, WITNESS};
use crate::journal::error::JournalError;
use crate::journal::witness::Witness;
use crate::secret::Secrets;

/// Opens the book. Holds its directory from the first success on.
pub(super) struct Opener {
    path: PathBuf,
    directory: Arc<OnceLock<Directory>>,
    /// Whether what is found is of no use, since this process has started without it.
    starts_over: bool,
}

impl Opener {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            directory: Arc::default(),
            starts_over: false,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory, once it is held.
    pub(super) fn directory(&self) -> Arc<OnceLock<Directory>> {
        Arc::clone(&self.directory)
    }

    /// Opens the book as it is.
    pub(super) fn open(&mut self) -> Result<Book, JournalError> {
        let directory = self.hold()?;
        let path = directory.file(DATABASE);
        let backend = FileBackend::new(directory.open(DATABASE)?).map_err(|error| JournalError::of(&path, error))?;
        let witness = Witness::new(&directory.file(WITNESS), directory.open(WITNESS)?);
        directory
            .sync()
            .map_err(|cause| JournalError::failed(&self.path, cause))?;
        Book::open(&path, backend, witness)
    }

    /// Begins a new book in place of whatever is there.
    pub(super) fn start_over(&mut self) -> Result<Book, JournalError> {
        self.starts_over = true;
        self.hold()?.set_aside(&[DATABASE, WITNESS, LIST])?;
        let mut book = self.open()?;
        let secrets = Secrets::keep(None).map_err(|_| JournalError::KeysExist {
            path: self.path.clone(),
        })?;
        book.begin(secrets, true)?;
        self.starts_over = false;
        Ok(book)
    }

    /// Opens the book anew, after a failure.
    pub(super) fn reopen(&mut self) -> Result<Book, JournalError> {
        if self.starts_over {
            return self.start_over();
        }
        let book = self.open()?;
        if book.is_new() || book.secrets()? != Secrets::in_use().to_bytes() {
            let path = self.path.join(DATABASE);
            return Err(JournalError::damaged(
                &path,
                "is another one than this process began with",
            ));
        }
        Ok(book)
    }

    /// A new database has no list beside it.
    pub(super) fn check_nothing_is_there(&self) -> Result<(), JournalError> {
        let directory = self.directory.get();
        match directory.map(|directory| directory.file(LIST)) {
            Some(list) if list.exists() => Err(JournalError::damaged(
                &self.path.join(DATABASE),
                "is missing or empty, and there is a list",
            )),
            _ => Ok(()),
        }
    }

    fn hold(&self) -> Result<&Directory, JournalError> {
        if let Some(directory) = self.directory.get() {
            return Ok(directory);
        }
        let directory = Directory::hold(&self.path)?;
        Ok(self.directory.get_or_init(|| directory))
    }
}
