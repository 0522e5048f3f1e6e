//! The database: what is kept, and how it is read and written.

use std::convert::identity;
use std::ops::RangeBounds;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use redb::{
    Builder, Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, StorageBackend, StorageError, TableError,
};

use crate::journal::commit_count::CommitCount;
use crate::journal::error::JournalError;
use crate::journal::page::{ENTRIES, LOG_END, LOG_PREFIX, NUMBERS, Page, SPARED, TEXTS, log_of};
use crate::journal::row::{Row, RowKey, add_spared, from_row};
use crate::model::key_secrets::KeySecrets;
use crate::model::log_place::LogPosition;
use crate::model::timestamp::Timestamp;
use crate::state::entry::Entry;

/// An open database, and the commit count beside it.
pub(super) struct JournalDatabase {
    path: PathBuf,
    database: Database,
    commit_count: CommitCount,
    /// How many commits the database has seen.
    sequence: u64,
}

impl JournalDatabase {
    /// Creates a database in `backend`, to be moved to `path`. `needs_list` says that it replaces another one whose content is
    /// lost. No commit is counted before the database is in its place.
    pub(super) fn create(
        path: &Path,
        backend: impl StorageBackend,
        commit_count: CommitCount,
        secrets: &KeySecrets,
        needs_list: bool,
    ) -> Result<Self, JournalError> {
        let mut database = Self::over(path, backend, commit_count)?;
        database.commit(|page| {
            page.numbers.insert(FORMAT, FORMAT_NUMBER)?;
            page.texts.insert(SECRETS, &secrets.to_bytes()[..])?;
            if needs_list {
                page.numbers.insert(LOST, 1)?;
            }
            Ok(())
        })?;
        Ok(database)
    }

    /// Creates a database in `backend`, to be moved to `path`, with everything that `other` holds.
    pub(super) fn copy(
        path: &Path,
        backend: impl StorageBackend,
        commit_count: CommitCount,
        other: &Self,
    ) -> Result<Self, JournalError> {
        let mut database = Self::over(path, backend, commit_count)?;
        database.sequence = other.sequence;
        let (numbers, texts) = other.read(|transaction| {
            let owned = |row: Result<(Name<'_>, Text<'_>), StorageError>| {
                let (name, text) = row?;
                Ok((name.value().to_owned(), text.value().to_vec()))
            };
            let texts: Result<Vec<_>, redb::Error> = transaction.open_table(TEXTS)?.iter()?.map(owned).collect();
            let owned = |row: Result<(Name<'_>, Number<'_>), StorageError>| {
                let (name, number) = row?;
                Ok((name.value().to_owned(), number.value()))
            };
            let numbers: Result<Vec<_>, redb::Error> = transaction.open_table(NUMBERS)?.iter()?.map(owned).collect();
            Ok((numbers?, texts?))
        })?;
        let mut from = None;
        loop {
            let (entries, next) = other.entries_from(from, COPIED_AT_ONCE)?;
            database.commit(|page| {
                for entry in &entries {
                    page.set_entry(entry)?;
                }
                for (name, number) in &numbers {
                    page.numbers.insert(name.as_str(), number)?;
                }
                for (name, text) in &texts {
                    page.texts.insert(name.as_str(), text.as_slice())?;
                }
                Ok(())
            })?;
            from = next;
            if from.is_none() {
                return Ok(database);
            }
        }
    }

    /// Opens the database that lies in `backend`, at `path`. Every page of it is verified, which takes some 100 ms for a million
    /// entries, so that everything that is read later is what was written.
    pub(super) fn open(
        path: &Path,
        backend: impl StorageBackend,
        commit_count: CommitCount,
    ) -> Result<Self, JournalError> {
        let mut database = Self::over(path, backend, commit_count)?;
        let sequence = database.number(SEQUENCE)?;
        database.sequence = sequence.ok_or_else(|| JournalError::damaged(path, "is another program's, or empty"))?;
        match database.number(FORMAT)? {
            Some(FORMAT_NUMBER) => {}
            found => {
                return Err(JournalError::ForeignVersion {
                    path: path.to_owned(),
                    found: found.unwrap_or_default(),
                });
            }
        }
        let seen = match database.commit_count.read() {
            // The power failed while the count was written for the first time.
            Err(JournalError::Damaged { .. }) if database.sequence == 1 => None,
            seen => seen?,
        };
        match seen {
            Some(seen) if seen > database.sequence => {
                let problem = format!(
                    "shows commit {} as its latest, and there was a commit {seen}",
                    database.sequence
                );
                Err(JournalError::damaged(path, problem))
            }
            None if database.sequence > 1 => Err(JournalError::damaged(
                database.commit_count.path(),
                "is missing or empty",
            )),
            // The database was created, and nothing else has happened.
            None => database.write_first_count().map(|()| database),
            Some(_) => Ok(database),
        }
    }

    fn over(path: &Path, backend: impl StorageBackend, commit_count: CommitCount) -> Result<Self, JournalError> {
        let database = Builder::new()
            .set_check_integrity_on_open(true)
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(backend)
            .map_err(|error| JournalError::of(path, error))?;
        Ok(Self {
            path: path.to_owned(),
            database,
            commit_count,
            sequence: 0,
        })
    }

    /// Returns whether it replaced a database that is lost, and nothing has made up for that yet.
    pub(super) fn needs_list(&self) -> Result<bool, JournalError> {
        Ok(self.number(LOST)?.is_some())
    }

    /// Returns the secrets that its keys were made with.
    pub(super) fn secrets(&self) -> Result<[u8; 16 * KeySecrets::COUNT], JournalError> {
        let secrets = self.text(SECRETS)?.and_then(|secrets| secrets.try_into().ok());
        secrets.ok_or_else(|| JournalError::damaged(&self.path, "the secrets of its keys are missing"))
    }

    /// Returns all entries, in no order. Two threads read them, one from each end, since a start waits for them.
    pub(super) fn entries(&self) -> Result<Vec<Entry>, JournalError> {
        let all = usize::try_from(self.len()?).unwrap_or(usize::MAX);
        let half = all / 2;
        thread::scope(|scope| {
            let rest = scope.spawn(|| self.entries_among(.., all - half, Rows::rev));
            let (mut entries, _) = self.entries_among(.., half, identity)?;
            let (rest, _) = rest.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            entries.extend(rest);
            Ok(entries)
        })
    }

    /// Returns up to `limit` entries from a key on, and the key to go on from.
    pub(super) fn entries_from(
        &self,
        from: Option<RowKey>,
        limit: usize,
    ) -> Result<(Vec<Entry>, Option<RowKey>), JournalError> {
        self.entries_among(from.unwrap_or_default().., limit, identity)
    }

    fn entries_among<I>(
        &self,
        keys: impl RangeBounds<RowKey>,
        limit: usize,
        order: impl FnOnce(Rows<'static>) -> I,
    ) -> Result<(Vec<Entry>, Option<RowKey>), JournalError>
    where
        I: Iterator<Item = <Rows<'static> as Iterator>::Item>,
    {
        self.read(|transaction| {
            let table = match transaction.open_table(ENTRIES) {
                Err(TableError::TableDoesNotExist(_)) => return Ok((Vec::new(), None)),
                table => table?,
            };
            let spared = match transaction.open_table(SPARED) {
                Err(TableError::TableDoesNotExist(_)) => None,
                spared => Some(spared?).filter(|spared| spared.len().is_ok_and(|length| length > 0)),
            };
            let length = usize::try_from(table.len()?).unwrap_or(usize::MAX);
            let mut entries = Vec::with_capacity(length.min(limit));
            for row in order(table.range(keys)?) {
                let (key, row) = row?;
                if entries.len() == limit {
                    return Ok((entries, Some(key.value())));
                }
                let unknown = || redb::Error::Corrupted(format!("unknown kind of key: {}", key.value().0));
                let mut entry = from_row(key.value(), row.value()).ok_or_else(unknown)?;
                if let Some(spared) = &spared
                    && let Some(row) = spared.get(key.value())?
                {
                    add_spared(&mut entry, row.value());
                }
                entries.push(entry);
            }
            Ok((entries, None))
        })
    }

    /// Reads a time from the table of numbers.
    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, JournalError> {
        Ok(self.number(name)?.map(Timestamp::from_unix_millis))
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<Vec<u8>>, JournalError> {
        self.read(|transaction| match transaction.open_table(TEXTS) {
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            table => Ok(table?.get(name)?.map(|text| text.value().to_vec())),
        })
    }

    /// Returns up to where the issuer's own logs are known whole.
    pub(super) fn issuer_logs(&self) -> Result<Vec<LogPosition>, JournalError> {
        self.read(|transaction| {
            let table = match transaction.open_table(TEXTS) {
                Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                table => table?,
            };
            let mut logs = Vec::new();
            for row in table.range(LOG_PREFIX..LOG_END)? {
                let (name, row) = row?;
                logs.extend(log_of(name.value(), row.value()));
            }
            Ok(logs)
        })
    }

    /// Returns how many entries there are.
    pub(super) fn len(&self) -> Result<u64, JournalError> {
        self.read(|transaction| match transaction.open_table(ENTRIES) {
            Err(TableError::TableDoesNotExist(_)) => Ok(0),
            table => Ok(table?.len()?),
        })
    }

    /// Makes a change, all of it or nothing. The change is durable when this returns.
    pub(super) fn write<T>(
        &mut self,
        change: impl FnOnce(&mut Page<'_>) -> Result<T, redb::Error>,
    ) -> Result<T, JournalError> {
        let done = self.commit(change)?;
        self.write_count()?;
        Ok(done)
    }

    /// Writes the first commit count, and makes it durable.
    pub(super) fn write_first_count(&mut self) -> Result<(), JournalError> {
        self.write_count()?;
        self.commit_count.sync()
    }

    /// Writes the commit count.
    fn write_count(&mut self) -> Result<(), JournalError> {
        self.commit_count.write(self.sequence)
    }

    fn commit<T>(&mut self, change: impl FnOnce(&mut Page<'_>) -> Result<T, redb::Error>) -> Result<T, JournalError> {
        let sequence = self.sequence + 1;
        let commit = || -> Result<T, redb::Error> {
            let transaction = self.database.begin_write()?;
            let done = {
                let mut page = Page::open(&transaction)?;
                let done = change(&mut page)?;
                page.numbers.insert(SEQUENCE, sequence)?;
                done
            };
            transaction.commit()?;
            Ok(done)
        };
        let done = commit().map_err(|error| JournalError::of(&self.path, error))?;
        self.sequence = sequence;
        Ok(done)
    }

    fn number(&self, name: &str) -> Result<Option<u64>, JournalError> {
        self.read(|transaction| match transaction.open_table(NUMBERS) {
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            table => Ok(table?.get(name)?.map(|number| number.value())),
        })
    }

    fn read<T>(&self, look: impl FnOnce(&redb::ReadTransaction) -> Result<T, redb::Error>) -> Result<T, JournalError> {
        let transaction = self.database.begin_read().map_err(redb::Error::from);
        let looked = transaction.and_then(|transaction| look(&transaction));
        looked.map_err(|error| JournalError::of(&self.path, error))
    }
}

type Name<'a> = redb::AccessGuard<'a, &'static str>;
type Number<'a> = redb::AccessGuard<'a, u64>;
type Text<'a> = redb::AccessGuard<'a, &'static [u8]>;
type Rows<'a> = redb::Range<'a, RowKey, Row>;

/// When the newest list that was ever installed was issued.
pub(super) const NEWEST: &str = "newest list";

/// When the kept list was issued.
pub(super) const ISSUED: &str = "list issued";

/// When the kept list was accepted.
pub(super) const ACCEPTED: &str = "list accepted";

/// When the kept list was last fetched or confirmed.
pub(super) const REFRESHED: &str = "list refreshed";

/// When the feed was last known to be read up to its end.
pub(super) const FEED_READ: &str = "feed read";

/// When another list was issued that was installed, says more, and could not be kept.
pub(super) const INCOMPLETE: &str = "list incomplete";

/// The digest of the kept list. The name is part of the format, and older than the word digest.
pub(super) const DIGEST: &str = "list print";

/// The issuer's signing keys, as it published them.
pub(super) const KEYS: &str = "signing keys";

/// Whether what was kept before is lost.
pub(super) const LOST: &str = "lost";

const FORMAT: &str = "format";
const FORMAT_NUMBER: u64 = 1;
const SEQUENCE: &str = "sequence";
const SECRETS: &str = "secrets";

/// How many entries of a copy become one commit.
const COPIED_AT_ONCE: usize = 50_000;

/// How much of the file redb may keep in memory, in bytes. Its default is a gigabyte.
const CACHE_BYTES: usize = 32 * 1024 * 1024;
