//! The journal.

use serde::Serialize;

/// The journal.
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
    /// When the list was issued that is kept and verified, in seconds since the epoch. A restart finds it, and not the installed one
    /// if that is another.
    pub list_iat: Option<u64>,
    /// Whether events are durable: false since the last attempt to write failed. Events are answered by "retry" then, and
    /// each of them is another attempt.
    pub durable: bool,
    /// What last went wrong: which file, and why. It stays after things went well again.
    pub last_error: Option<String>,
    /// How many attempts to write failed since the start.
    pub failures: u64,
    /// How many keys are kept.
    pub entries: u64,
    /// How many bytes the journal and the kept list take on disk.
    pub bytes: u64,
}

impl JournalStatus {
    /// At the start, when nothing has gone wrong.
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

/// What was found of earlier processes at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum JournalStart {
    /// Something that was of no use, or nothing that could be read. Nobody is admitted until a list is fetched that makes up for it.
    Lost,
    /// Nothing: the directory is new.
    New,
    /// All that they were told.
    Restored,
}
