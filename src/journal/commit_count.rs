//! How many commits the database has seen, in a file of its own.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::journal::error::JournalError;

/// The number of the latest commit, in a file of its own.
///
/// The database can tell that a page of it was damaged. It cannot tell damage to its header, in one bit of one byte, from a
/// commit that was interrupted by a crash: it then shows the state before the latest commit, which may lack a
/// revocation that was acknowledged. This number was written after that commit, and shows that there was one.
///
/// The number is synced when it is written for the first time. Later it is overwritten in place, without a sync: a crash of the
/// process does not lose it. A crash of the system may leave it some commits behind; then it shows less, but nothing false.
#[derive(Debug)]
pub(super) struct CommitCount {
    path: PathBuf,
    file: File,
}

impl CommitCount {
    pub(super) fn new(path: &Path, file: File) -> Self {
        Self {
            path: path.to_owned(),
            file,
        }
    }

    /// Reads the number; `None` if the file is empty.
    pub(super) fn read(&mut self) -> Result<Option<u64>, JournalError> {
        let mut text = Vec::new();
        let read = self.file.seek(SeekFrom::Start(0)).and_then(|_| {
            let most = DIGITS as u64 + 2;
            (&mut self.file).take(most).read_to_end(&mut text)
        });
        read.map_err(|cause| JournalError::failed(&self.path, cause))?;
        if text.is_empty() {
            return Ok(None);
        }
        let number = |text: &[u8]| {
            let digits = text.strip_suffix(b"\n")?;
            let is_whole = digits.len() == DIGITS && digits.iter().all(u8::is_ascii_digit);
            std::str::from_utf8(digits).ok()?.parse().ok().filter(|_| is_whole)
        };
        let number = number(&text).ok_or_else(|| JournalError::damaged(&self.path, "is not one number"))?;
        Ok(Some(number))
    }

    pub(super) fn write(&mut self, number: u64) -> Result<(), JournalError> {
        let line = format!("{number:0DIGITS$}\n");
        let written = self
            .file
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.file.write_all(line.as_bytes()));
        written.map_err(|cause| JournalError::failed(&self.path, cause))
    }

    /// Makes the number durable.
    pub(super) fn sync(&self) -> Result<(), JournalError> {
        let synced = self.file.sync_all();
        synced.map_err(|cause| JournalError::failed(&self.path, cause))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// How many digits the largest number has.
const DIGITS: usize = 20;
