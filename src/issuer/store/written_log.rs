//! How far an issuer's log is written.

use crate::model::log_place::LogPosition;

/// How far the log is written, as the store knows it to have been published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WrittenLog {
    /// The log, and its newest message that was confirmed and read back. `None` before there was any log.
    pub(crate) position: Option<LogPosition>,
    /// The log that it continues.
    pub(crate) after: Option<LogPosition>,
    /// The first statement that is not published in it.
    pub(crate) cursor: u64,
    /// Behind the newest statement.
    pub(crate) next: u64,
    pub(crate) covered: Option<CoveredByList>,
}

/// What the newest list covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CoveredByList {
    pub(crate) position: LogPosition,
    /// The statement at that position: it and all before it are on the list, if they are in force.
    pub(crate) sequence: u64,
}

impl WrittenLog {
    /// How many statements are not published.
    pub(crate) const fn pending(&self) -> u64 {
        self.next.saturating_sub(self.cursor)
    }
}
