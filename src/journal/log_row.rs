//! How the journal keeps up to where the issuer's own logs are known whole.

use crate::model::log_place::{LogDigest, LogId, LogPosition};
use crate::model::timestamp::Timestamp;

/// Returns the name and the row of a position: its number, its digest, and when that was written.
pub(super) fn to_log_row(whole: LogPosition, at: Timestamp) -> (String, [u8; 32]) {
    let mut row = [0; 32];
    row[..8].copy_from_slice(&whole.n.to_be_bytes());
    row[8..24].copy_from_slice(&whole.digest.to_bytes());
    row[24..].copy_from_slice(&at.as_unix_millis().to_be_bytes());
    (format!("{PREFIX}{}", whole.log), row)
}

/// Reads a row of the table of texts; `None` if it is no log's.
pub(super) fn log_of(name: &str, row: &[u8]) -> Option<LogPosition> {
    let log: LogId = name.strip_prefix(PREFIX)?.parse().ok()?;
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
pub(super) const PREFIX: &str = "issuer log ";
pub(super) const END: &str = "issuer log!";
