//! The tables of the database.

use redb::{ReadableTable, Table, TableDefinition, TableError, WriteTransaction};

use crate::journal::row::{Row, RowKey, SparedRow, add_spared, from_row, to_row, to_spared_row};
use crate::model::log_place::{LogDigest, LogId, LogPosition};
use crate::model::timestamp::Timestamp;
use crate::state::entry::Entry;

/// The tables, open to be written.
pub(super) struct Page<'t> {
    entries: Table<'t, RowKey, Row>,
    /// What the cut-offs of some entries spare. An earlier version does not read it, and refuses what is spared.
    spared: Table<'t, RowKey, &'static SparedRow>,
    pub(super) numbers: Table<'t, &'static str, u64>,
    pub(super) texts: Table<'t, &'static str, &'static [u8]>,
}

impl<'t> Page<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, TableError> {
        Ok(Self {
            entries: transaction.open_table(ENTRIES)?,
            spared: transaction.open_table(SPARED)?,
            numbers: transaction.open_table(NUMBERS)?,
            texts: transaction.open_table(TEXTS)?,
        })
    }

    /// Returns what is known of a key.
    pub(super) fn entry(&self, key: RowKey) -> Result<Option<Entry>, redb::Error> {
        let mut entry = self.entries.get(key)?.and_then(|row| from_row(key, row.value()));
        if let (Some(entry), Some(row)) = (&mut entry, self.spared.get(key)?) {
            add_spared(entry, row.value());
        }
        Ok(entry)
    }

    /// Puts an entry in the place of what is known of its key.
    pub(super) fn set_entry(&mut self, entry: &Entry) -> Result<(), redb::Error> {
        let (key, row) = to_row(entry);
        self.entries.insert(key, row)?;
        match to_spared_row(entry) {
            Some(spared) => drop(self.spared.insert(key, &spared[..])?),
            None => drop(self.spared.remove(key)?),
        }
        Ok(())
    }

    pub(super) fn remove_entry(&mut self, key: RowKey) -> Result<(), redb::Error> {
        self.entries.remove(key)?;
        self.spared.remove(key)?;
        Ok(())
    }

    pub(super) fn set_time(&mut self, name: &'static str, at: Timestamp) -> Result<(), redb::Error> {
        self.numbers.insert(name, at.as_unix_millis())?;
        Ok(())
    }

    /// Sets a time, unless a later one is set already.
    pub(super) fn raise_time(&mut self, name: &'static str, at: Timestamp) -> Result<(), redb::Error> {
        let known = self.numbers.get(name)?.map_or(0, |known| known.value());
        self.numbers.insert(name, known.max(at.as_unix_millis()))?;
        Ok(())
    }
}

pub(super) const ENTRIES: TableDefinition<'_, RowKey, Row> = TableDefinition::new("entries");
pub(super) const SPARED: TableDefinition<'_, RowKey, &SparedRow> = TableDefinition::new("spared");
pub(super) const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");
pub(super) const TEXTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("texts");

/// Returns the name and the row of a position in an issuer's log, up to which it is known whole: its number, its digest, and when that was written.
pub(super) fn to_log_row(whole: LogPosition, at: Timestamp) -> (String, [u8; 32]) {
    let mut row = [0; 32];
    row[..8].copy_from_slice(&whole.n.to_be_bytes());
    row[8..24].copy_from_slice(&whole.digest.to_bytes());
    row[24..].copy_from_slice(&at.as_unix_millis().to_be_bytes());
    (format!("{LOG_PREFIX}{}", whole.log), row)
}

/// Reads a row of the table of texts; `None` if it is no log's.
pub(super) fn log_of(name: &str, row: &[u8]) -> Option<LogPosition> {
    let log: LogId = name.strip_prefix(LOG_PREFIX)?.parse().ok()?;
    let row: &[u8; 32] = row.try_into().ok()?;
    let mut n = [0; 8];
    n.copy_from_slice(&row[..8]);
    let mut digest = [0; 16];
    digest.copy_from_slice(&row[8..24]);
    Some(LogPosition {
        log,
        n: u64::from_be_bytes(n),
        digest: LogDigest::from_bytes(digest),
    })
}

/// The names of logs lie between these.
pub(super) const LOG_PREFIX: &str = "issuer log ";
pub(super) const LOG_END: &str = "issuer log!";
