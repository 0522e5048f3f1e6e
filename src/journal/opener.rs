//! What it takes to open the book, the first time and after a failure.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use redb::backends::FileBackend;

use crate::journal::book::Book;
use crate::journal::directory::{DATABASE, Directory, LIST, WITNESS, new};
use crate::journal::error::JournalError;
use crate::journal::witness::Witness;
use crate::secret::{KeysExist, Secrets};

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

    /// Opens the book; `None` if there is none, and no sign that there ever was one.
    pub(super) fn open(&self) -> Result<Option<Book>, JournalError> {
        let directory = self.hold()?;
        let path = directory.file(DATABASE);
        let file = match directory.open(DATABASE)? {
            Some(file) => file,
            None if self.witness()?.read()?.is_some() || directory.file(LIST).exists() => {
                return Err(JournalError::damaged(&path, "is missing"));
            }
            None => return Ok(None),
        };
        // It would be taken for a new one.
        if file.metadata().is_ok_and(|data| data.len() == 0) {
            return Err(JournalError::damaged(&path, "is empty"));
        }
        let backend = FileBackend::new(file).map_err(|error| JournalError::of(&path, error))?;
        Book::open(&path, backend, self.witness()?).map(Some)
    }

    /// Begins a book. It is there as a whole or not at all.
    pub(super) fn create(&self, is_lost: bool) -> Result<Book, JournalError> {
        let secrets = Secrets::keep(None).map_err(|KeysExist| JournalError::KeysExist {
            path: self.path.clone(),
        })?;
        let directory = self.hold()?;
        let path = directory.file(DATABASE);
        let file = directory.create(&new(DATABASE))?;
        let backend = FileBackend::new(file).map_err(|error| JournalError::of(&path, error))?;
        let mut book = Book::create(&path, backend, self.witness()?, secrets, is_lost)?;
        directory.put_in_place(DATABASE)?;
        book.bear_witness()?;
        Ok(book)
    }

    /// Begins a new book in place of whatever is there.
    pub(super) fn start_over(&mut self) -> Result<Book, JournalError> {
        self.starts_over = true;
        self.hold()?.set_aside(&[DATABASE, WITNESS, LIST])?;
        let book = self.create(true)?;
        self.starts_over = false;
        Ok(book)
    }

    /// Opens the book anew, after a failure.
    pub(super) fn reopen(&mut self) -> Result<Book, JournalError> {
        if self.starts_over {
            return self.start_over();
        }
        match self.open()? {
            Some(book) if book.secrets()? == Secrets::in_use().to_bytes() => Ok(book),
            _ => {
                let path = self.path.join(DATABASE);
                Err(JournalError::damaged(
                    &path,
                    "is not the one that this process began with",
                ))
            }
        }
    }

    fn witness(&self) -> Result<Witness, JournalError> {
        let directory = self.hold()?;
        Ok(Witness::new(
            &directory.file(WITNESS),
            directory.open_or_create(WITNESS)?,
        ))
    }

    fn hold(&self) -> Result<&Directory, JournalError> {
        if let Some(directory) = self.directory.get() {
            return Ok(directory);
        }
        let directory = Directory::hold(&self.path)?;
        Ok(self.directory.get_or_init(|| directory))
    }
}
