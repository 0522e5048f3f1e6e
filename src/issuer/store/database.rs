//! What an issuer keeps: its statements, and how far its log is published.

use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Builder, Database, ReadTransaction, ReadableDatabase, ReadableTable};

use crate::issuer::error::IssuerError;
use crate::issuer::store::directory::IssuerDirectory;
use crate::issuer::store::page::{ENDS, FACTS, FORMAT, PLACES, STATEMENTS, StorePage};
use crate::issuer::store::row::{KeptStatement, from_bytes, from_row, place_bytes};
use crate::issuer::store::written_log::{CoveredByList, WrittenLog};
use crate::model::log_place::LogPosition;

/// An issuer's database. Whatever was written to it is durable.
pub(crate) struct IssuerStore {
    source: String,
    path: PathBuf,
    database: Database,
    /// Dropped last: then the directory is free for another one.
    _directory: IssuerDirectory,
}

impl IssuerStore {
    /// Opens the store in a directory, or creates it. Every page is verified.
    pub(crate) fn open(directory: &Path, source: &str) -> Result<Self, IssuerError> {
        let held = IssuerDirectory::hold(directory)?;
        let path = held.database.clone();
        let of = |error: redb::Error| IssuerError::of(&path, error);
        let backend = FileBackend::new(held.open()?).map_err(|error| of(error.into()))?;
        let database = Builder::new()
            .set_check_integrity_on_open(true)
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(backend)
            .map_err(|error| of(error.into()))?;
        let store = Self {
            source: source.to_owned(),
            path: path.clone(),
            database,
            _directory: held,
        };
        store.write(|page| page.begin_store(source))?;
        let found = store.fact("source")?.unwrap_or_default();
        if found != source.as_bytes() {
            return Err(IssuerError::ForeignSource {
                path: directory.to_owned(),
                found: String::from_utf8_lossy(&found).into_owned(),
            });
        }
        match store.fact("format")?.as_deref() {
            Some(FORMAT) => Ok(store),
            _ => Err(IssuerError::damaged(
                &path,
                "was written by another version of this crate",
            )),
        }
    }

    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a change, all of it or nothing. It is durable when this returns.
    pub(crate) fn write<T>(
        &self,
        change: impl FnOnce(&mut StorePage<'_>) -> Result<T, redb::Error>,
    ) -> Result<T, IssuerError> {
        let commit = || -> Result<T, redb::Error> {
            let transaction = self.database.begin_write()?;
            let done = change(&mut StorePage::open(&transaction)?)?;
            transaction.commit()?;
            Ok(done)
        };
        commit().map_err(|error| IssuerError::of(&self.path, error))
    }

    /// Returns how far the log is written.
    pub(crate) fn log(&self) -> Result<WrittenLog, IssuerError> {
        self.read(|read| {
            let facts = read.open_table(FACTS)?;
            let position = |name: &str| -> Result<Option<LogPosition>, redb::Error> {
                Ok(facts.get(name)?.and_then(|bytes| from_bytes(bytes.value())))
            };
            let number = |name: &str| -> Result<u64, redb::Error> {
                let bytes = facts.get(name)?.and_then(|bytes| bytes.value().try_into().ok());
                Ok(bytes.map_or(0, u64::from_be_bytes))
            };
            let covered = position("covered")?;
            let covered_sequence = number("covered-sequence")?;
            let next = read
                .open_table(STATEMENTS)?
                .last()?
                .map_or(0, |(last, _)| last.value() + 1);
            let cursor = number("cursor")?;
            Ok(WrittenLog {
                position: position("position")?,
                after: position("after")?,
                cursor,
                next: next.max(cursor),
                covered: covered.map(|position| CoveredByList {
                    position,
                    sequence: covered_sequence,
                }),
            })
        })
    }

    /// Returns where former logs ended, as far as they were published.
    pub(crate) fn ends(&self) -> Result<Vec<LogPosition>, IssuerError> {
        self.read(|read| {
            let mut ends = Vec::new();
            for row in read.open_table(ENDS)?.iter()? {
                ends.extend(from_bytes(row?.1.value()));
            }
            Ok(ends)
        })
    }

    /// Returns statements in their order, from a place in it on, `most` at most.
    pub(crate) fn statements(&self, from: u64, most: usize) -> Result<Vec<KeptStatement>, IssuerError> {
        self.read(|read| {
            let mut found = Vec::new();
            for row in read.open_table(STATEMENTS)?.range(from..)?.take(most) {
                let (sequence, row) = row?;
                let kept = from_row(&self.source, sequence.value(), row.value());
                let unreadable = || redb::Error::Corrupted(format!("statement {}", sequence.value()));
                found.push(kept.ok_or_else(unreadable)?);
            }
            Ok(found)
        })
    }

    /// Returns which statement has this place, if it is known as what was published there.
    pub(crate) fn statement_at(&self, position: LogPosition) -> Result<Option<u64>, IssuerError> {
        self.read(|read| {
            let places = read.open_table(PLACES)?;
            let found = places.get(&place_bytes(position.log, position.n)[..])?;
            Ok(found.and_then(|row| {
                let (digest, sequence) = row.value().split_at_checked(16)?;
                let is_same = digest == position.digest.to_bytes();
                is_same.then(|| sequence.try_into().map(u64::from_be_bytes).ok())?
            }))
        })
    }

    fn fact(&self, name: &str) -> Result<Option<Vec<u8>>, IssuerError> {
        self.read(|read| {
            let facts = read.open_table(FACTS)?;
            Ok(facts.get(name)?.map(|bytes| bytes.value().to_vec()))
        })
    }

    fn read<T>(&self, look: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>) -> Result<T, IssuerError> {
        let read = self.database.begin_read().map_err(redb::Error::from);
        let looked = read.and_then(|read| look(&read));
        looked.map_err(|error| IssuerError::of(&self.path, error))
    }
}

const CACHE_BYTES: usize = 16 << 20;
