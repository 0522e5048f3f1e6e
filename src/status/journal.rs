//! The status of the journal.

use serde::Serialize;

/// Shows the status of the journal.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct JournalStatus {
    /// Its directory.
    pub directory: String,
    /// What was found in it at the start.
    pub start: JournalStart,
    /// How many keys of earlier processes were put in force at the start.
    pub restored_entries: usize,
    /// Whether the list of an earlier process was put in force at the start.
    pub restored_list: bool,
    /// The issue time of the list that is stored and verified, in seconds since the epoch. A restart finds this list,
    /// even if another one is installed now.
    pub list_iat: Option<u64>,
    /// Whether events are durable: false since the last attempt to write failed. Then events are answered by "retry",
    /// and each of them causes another attempt.
    pub durable: bool,
    /// What failed last: which file, and why. It stays after a success.
    pub last_error: Option<String>,
    /// How many attempts to write failed since the start.
    pub failures: u64,
    /// How many keys are stored.
    pub entries: u64,
    /// How many bytes the journal and the stored list take on disk.
    pub bytes: u64,
}

impl JournalStatus {
    /// The status at the start, before anything failed.
    #[cfg_attr(not(feature = "journal"), expect(dead_code, reason = "there is none"))]
    pub(crate) const fn new(directory: String, start: JournalStart) -> Self {
        Self {
            directory,
            start,
            restored_entries: 0,
            restored_list: false,
            list_iat: None,
            durable: true,
            last_error: None,
            failures: 0,
            entries: 0,
            bytes: 0,
        }
    }
}

/// Says what of earlier processes was found at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum JournalStart {
    /// Something that was of no use, or nothing that could be read. Nobody is admitted until a list is fetched: the
    /// domain needs a list.
    Lost,
    /// Nothing, since the directory is new.
    New,
    /// All that they had stored.
    Restored,
}
