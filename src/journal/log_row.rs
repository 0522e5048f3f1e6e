//! How the journal keeps up to where the issuer's own logs are known whole.

use redb::ReadableTable;

use crate::journal::database::Page;
use crate::model::log_place::{LogDigest, LogId, LogPosition};
use crate::model::timestamp::Timestamp;

/// Puts a position in the table of texts: under the log's name, its number, its digest, and when that was. Of too many logs, the one
/// that was written longest ago is forgotten: its next message is a gap.
pub(super) fn put_log(whole: LogPosition, page: &mut Page<'_>) -> Result<(), redb::Error> {
    let name = format!("{PREFIX}{}", whole.log);
    let mut row = [0; 32];
    row[..8].copy_from_slice(&whole.n.to_be_bytes());
    row[8..24].copy_from_slice(&whole.digest.to_bytes());
    row[24..].copy_from_slice(&Timestamp::now().as_unix_millis().to_be_bytes());
    let is_new = page.texts.insert(&*name, &row[..])?.is_none();
    if is_new {
        let mut logs = Vec::new();
        for row in page.texts.range(PREFIX..END)? {
            let (name, row) = row?;
            logs.push((
                row.value().get(24..).unwrap_or_default().to_vec(),
                name.value().to_owned(),
            ));
        }
        logs.sort_unstable();
        let too_many = logs.len().saturating_sub(MOST_LOGS);
        for (_, name) in logs.into_iter().take(too_many) {
            page.texts.remove(&*name)?;
        }
    }
    Ok(())
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

/// How many logs are kept.
const MOST_LOGS: usize = 64;
