//! What an operator asks about a server of lists.

use std::time::Duration;

use serde::Serialize;

use crate::model::timestamp::Timestamp;

/// Holds what an operator asks about a server of lists, as of one moment. Before anybody has asked for a list, there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ListServerStatus {
    /// The generation of the last list that was made: equal as long as it says the same.
    pub generation: Option<String>,
    /// How many entries it has.
    pub entries: u64,
    /// How many bytes they take.
    pub bytes: u64,
    /// How long ago it was made: what was revoked since then is not in it.
    pub age_ms: Option<u64>,
    /// Why the last look failed; `None` if it was good.
    pub last_error: Option<String>,
}

/// What came of the looks.
#[derive(Debug, Default)]
pub(super) struct LookRecord {
    last: Option<MadeList>,
    last_error: Option<String>,
}

/// What is told of a list that was made.
#[derive(Debug)]
pub(super) struct MadeList {
    pub(super) generation: String,
    pub(super) entries: u64,
    pub(super) bytes: u64,
    pub(super) issued_at: Timestamp,
}

impl LookRecord {
    pub(super) fn made(&mut self, list: MadeList) {
        (self.last, self.last_error) = (Some(list), None);
    }

    pub(super) fn failed(&mut self, words: String) {
        self.last_error = Some(words);
    }

    pub(super) fn status(&self, now: Timestamp) -> ListServerStatus {
        let last_error = self.last_error.clone();
        let Some(last) = &self.last else {
            return ListServerStatus {
                last_error,
                ..ListServerStatus::default()
            };
        };
        ListServerStatus {
            generation: Some(last.generation.clone()),
            entries: last.entries,
            bytes: last.bytes,
            age_ms: Some(millis(now.saturating_since(last.issued_at))),
            last_error,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
