//! The messages of an issuer's log.

use std::time::Duration;

use crate::format::revocation::cloud_event::EventToWrite;
use crate::format::revocation::log_attributes::LogAttributes;
use crate::model::log_place::{LogId, LogPosition};
use crate::model::timestamp::Timestamp;
use crate::statements::statement::Statement;

/// Writes the messages of an issuer's log, each with its place in it.
///
/// One writer at a time: two of them would give a number to two messages, which every reader takes for a loss.
///
/// ```
/// use std::time::Duration;
/// use tower_revocation::format::revocation::{LogWriter, RevocationEvents};
/// use tower_revocation::{Decode, LogId, LogPlace, Statement, Subject, Timestamp};
///
/// let mut log = LogWriter::begin("https://auth.example.com", LogId::from_bytes([7; 16]), None);
/// let message = log.write("01JDW8", &Statement::block(Subject::session("s-1")));
/// let heartbeat = log.heartbeat(Timestamp::now(), Duration::from_secs(1));
///
/// let decode = RevocationEvents::from_source("https://auth.example.com");
/// let placed = decode.decode_placed(&message);
/// assert_eq!(placed.place.unwrap().position(), log.position());
/// // The heartbeat takes no number: it says where the log ends.
/// assert!(matches!(decode.decode_placed(&heartbeat).place, Some(LogPlace::End { position, .. }) if position == log.position()));
/// ```
#[derive(Clone, Debug)]
pub struct LogWriter {
    source: Box<str>,
    position: LogPosition,
    after: Option<LogPosition>,
}

impl LogWriter {
    /// Begins a log. `after` is the log that it continues, as far as that one is known to have been published.
    #[must_use]
    pub fn begin(source: &str, log: LogId, after: Option<LogPosition>) -> Self {
        Self {
            source: source.into(),
            position: LogPosition::beginning(log),
            after,
        }
    }

    /// Goes on with a log behind this position.
    #[must_use]
    pub fn go_on(source: &str, position: LogPosition) -> Self {
        Self {
            source: source.into(),
            position,
            after: None,
        }
    }

    /// Returns the log so far.
    #[must_use]
    pub const fn position(&self) -> LogPosition {
        self.position
    }

    /// Returns the log that this one continues, while it has no message.
    #[must_use]
    pub const fn continues(&self) -> Option<LogPosition> {
        self.after
    }

    /// Writes the next message. `id` names the statement: if it is published again in another log, it keeps it.
    #[must_use]
    pub fn write(&mut self, id: &str, statement: &Statement) -> Vec<u8> {
        let source = self.source.clone();
        let event = EventToWrite::statement(&source, id, statement);
        let place = LogAttributes {
            log: self.position.log,
            n: self.position.n + 1,
            prev: self.position.digest,
            after: self.after.take(),
        };
        self.position = place.position(&event.content());
        event.write(Some(place))
    }

    /// Writes a heartbeat: where the log ends at this time, and when the next heartbeat comes.
    #[must_use]
    pub fn heartbeat(&self, at: Timestamp, every: Duration) -> Vec<u8> {
        let LogPosition { log, n, digest } = self.position;
        let id = format!("{log}-{n}-{}", at.as_unix_millis());
        let place = LogAttributes {
            log,
            n,
            prev: digest,
            after: self.after,
        };
        EventToWrite::heartbeat(&self.source, &id, at, every.as_millis()).write(Some(place))
    }
}
