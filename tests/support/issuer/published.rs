//! What an issuer published, as a strict reader takes it.

use std::collections::{BTreeMap, HashMap};

use tower_revocation::format::revocation::RevocationEvents;
use tower_revocation::{Decode, LogDigest, LogId, LogPlace, LogPosition, Statement};

/// All messages of an issuer that a broker holds.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// The logs, in the order in which they began.
    pub(crate) logs: Vec<PublishedLog>,
    pub(crate) heartbeats: usize,
}

/// One log.
#[derive(Debug)]
pub(crate) struct PublishedLog {
    pub(crate) log: LogId,
    pub(crate) after: Option<LogPosition>,
    /// By their numbers: the position, the statement's id, and the statement.
    pub(crate) entries: BTreeMap<u64, (LogPosition, String, Statement)>,
}

impl Published {
    /// Reads messages in the order in which the broker has them.
    ///
    /// # Panics
    /// If a number is missing within a log, if two messages have one number, or if a message does not continue the one before it.
    pub(crate) fn read(source: &str, messages: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        let decode = RevocationEvents::from_source(source);
        let mut published = Self::default();
        for message in messages {
            let message = message.as_ref();
            let placed = decode.decode_placed(message);
            placed
                .decoded
                .as_ref()
                .expect("every message of the issuer is readable");
            match placed.place.expect("every message of the issuer has its place") {
                LogPlace::End { position, .. } => {
                    published.heartbeats += 1;
                    if let Some(log) = published.logs.iter().find(|log| log.log == position.log) {
                        assert_eq!(log.end(), position, "a heartbeat says where the log ends");
                    }
                }
                LogPlace::Entry { position, prev, after } => {
                    let statement = decode.read(message).unwrap().unwrap();
                    let event: serde_json::Value = serde_json::from_slice(message).unwrap();
                    let id = event["id"].as_str().unwrap().to_owned();
                    published.take(position, prev, after, (position, id, statement));
                }
            }
        }
        published
    }

    fn take(
        &mut self,
        position: LogPosition,
        prev: LogDigest,
        after: Option<LogPosition>,
        entry: (LogPosition, String, Statement),
    ) {
        let index = self.logs.iter().position(|log| log.log == position.log);
        let index = index.unwrap_or_else(|| {
            self.logs.push(PublishedLog {
                log: position.log,
                after,
                entries: BTreeMap::new(),
            });
            self.logs.len() - 1
        });
        let log = &mut self.logs[index];
        if let Some((known, ..)) = log.entries.get(&position.n) {
            assert_eq!(*known, position, "two messages have one number");
            return;
        }
        let end = log.end();
        let may_be_trimmed = log.entries.is_empty();
        assert!(
            may_be_trimmed || position.n == end.n + 1,
            "{} behind {}",
            position.n,
            end.n
        );
        assert!(
            may_be_trimmed || prev == end.digest,
            "{} does not continue the one before",
            position.n
        );
        log.entries.insert(position.n, entry);
    }

    /// Every statement that is there, by its id.
    #[allow(dead_code, reason = "not all tests ask")]
    pub(crate) fn statements(&self) -> HashMap<&str, &Statement> {
        let entries = self.logs.iter().flat_map(|log| log.entries.values());
        entries.map(|(_, id, statement)| (&**id, statement)).collect()
    }

    pub(crate) fn last(&self) -> &PublishedLog {
        self.logs.last().expect("something was published")
    }
}

impl PublishedLog {
    pub(crate) fn end(&self) -> LogPosition {
        let last = self.entries.values().next_back();
        last.map_or_else(|| LogPosition::beginning(self.log), |(position, ..)| *position)
    }

    #[allow(dead_code, reason = "not all tests ask")]
    pub(crate) fn ids(&self) -> Vec<&str> {
        self.entries.values().map(|(_, id, _)| &**id).collect()
    }
}
