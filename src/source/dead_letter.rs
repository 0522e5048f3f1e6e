//! Messages that can never be applied.

use std::fmt;

use bytes::Bytes;
use serde::{Serialize, Serializer};

use crate::model::timestamp::Timestamp;
use crate::source::position::Position;

/// A message that can never be applied, and why. It may be a missed revocation.
///
/// Serializes to JSON without its payload: what goes into a broker's headers beside it.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The name of the feed that it came from.
    pub source: String,
    /// Where in the feed, if the feed can tell.
    #[serde(serialize_with = "in_words")]
    pub position: Option<Position>,
    /// The message as it came.
    #[serde(skip)]
    pub payload: Bytes,
    /// What is wrong with it.
    pub reason: String,
    /// Which replica put it aside: each of them sees each message.
    pub replica: String,
    /// When, in seconds since the epoch.
    #[serde(serialize_with = "in_seconds")]
    pub at: Timestamp,
    /// How often it was tried, this replica's attempts.
    pub attempts: u32,
}

impl fmt::Debug for DeadLetter {
    /// Writes how long the message is, and not what it says: that may be whom it revokes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetter")
            .field("source", &self.source)
            .field("position", &self.position)
            .field("payload", &format_args!("{} bytes", self.payload.len()))
            .field("reason", &self.reason)
            .field("replica", &self.replica)
            .field("at", &self.at)
            .field("attempts", &self.attempts)
            .finish()
    }
}

impl DeadLetter {
    /// Returns what is the same for all replicas that put the same message aside: feed and position. `None` where the feed cannot
    /// tell, as with queues of each replica's own.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        self.position.map(|position| format!("{}:{position}", self.source))
    }

    /// Returns what is known beside the payload, in one line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers serialize")
    }
}

/// What a dead letter means for what is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeadLetterPolicy {
    /// It counts as a gap, since it may be a missed revocation: the list is fetched. The default.
    #[default]
    Gap,
    /// It is put aside, counted and shown, and that is all.
    Note,
}

fn in_words<S: Serializer>(position: &Option<Position>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Words(position))
}

struct Words<'p>(&'p Option<Position>);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |position| position.fmt(f))
    }
}

fn in_seconds<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(at.as_unix_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_how_long_its_message_is_and_not_what_it_says() {
        let letter = DeadLetter {
            source: "feed".to_owned(),
            position: None,
            payload: Bytes::from_static(b"did:cdi:agent"),
            reason: "type is missing".to_owned(),
            replica: "r1".to_owned(),
            at: Timestamp::from_unix_secs(5),
            attempts: 1,
        };
        let shown = format!("{letter:?}");
        assert!(
            shown.contains("13 bytes") && shown.contains("type is missing"),
            "{shown}"
        );
        assert!(!shown.contains("did:"), "{shown}");
    }
}
