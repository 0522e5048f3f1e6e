//! How a message states its place in its issuer's log.

use std::str::FromStr;

use crate::format::revocation::content::Content;
use crate::format::revocation::member_tree::{MemberValue, Members};
use crate::format::revocation::members::text;
use crate::model::decode::DecodeError;
use crate::model::log_place::{LogDigest, LogId, LogPosition};

/// What a message states of its issuer's log.
#[derive(Clone, Copy)]
pub(super) struct LogAttributes {
    pub(super) log: LogId,
    pub(super) n: u64,
    pub(super) prev: LogDigest,
    pub(super) after: Option<LogPosition>,
}

impl LogAttributes {
    /// Reads them; `None` if the event states no log.
    pub(super) fn read(event: &Members<'_>) -> Result<Option<Self>, DecodeError> {
        if !event.contains("log") {
            return Ok(None);
        }
        let log = parsed(event, "log", "log")?;
        let n = number(event, "n", "n")?;
        let prev = match event.contains("prev") {
            false if n <= 1 => LogDigest::default(),
            _ => parsed(event, "prev", "prev")?,
        };
        let after = if n <= 1 && event.contains("afterlog") {
            Some(LogPosition {
                log: parsed(event, "afterlog", "afterlog")?,
                n: number(event, "aftern", "aftern")?,
                digest: parsed(event, "afterdigest", "afterdigest")?,
            })
        } else {
            None
        };
        Ok(Some(Self { log, n, prev, after }))
    }

    /// Returns the log up to the event that states these.
    pub(super) fn position(&self, content: &Content<'_>) -> LogPosition {
        content.position(self.log, self.n, self.prev, self.after)
    }

    /// Returns what is written: names and texts.
    pub(super) fn written(&self) -> impl Iterator<Item = (&'static str, String)> {
        let first = [("log", self.log.to_string()), ("n", self.n.to_string())];
        let prev = (self.n > 0).then(|| ("prev", self.prev.to_string()));
        let after = self.after.filter(|_| self.n <= 1).map(|after| {
            [
                ("afterlog", after.log.to_string()),
                ("aftern", after.n.to_string()),
                ("afterdigest", after.digest.to_string()),
            ]
        });
        first.into_iter().chain(prev).chain(after.into_iter().flatten())
    }
}

fn parsed<T: FromStr>(event: &Members<'_>, name: &str, field: &'static str) -> Result<T, DecodeError> {
    let stated = text(event, name, field)?;
    stated
        .parse()
        .map_err(|_| DecodeError::new(field, "is not 16 bytes in base64url"))
}

/// A number as text. One that is a number in JSON is read too.
fn number(event: &Members<'_>, name: &str, field: &'static str) -> Result<u64, DecodeError> {
    let number = match event.get(name) {
        Some(MemberValue::Number(number)) => number.as_u64(),
        Some(MemberValue::Text(digits)) if digits.bytes().all(|digit| digit.is_ascii_digit()) => digits.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| DecodeError::new(field, "is not a whole number as text"))
}
