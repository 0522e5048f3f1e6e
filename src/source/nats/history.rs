//! What is known of a stream from reading it.

use std::time::SystemTime;

use async_nats::datetime::DateTime;
use async_nats::jetstream::stream::Info;

use crate::model::timestamp::Timestamp;
use crate::source::nats::subject::covers;

/// What is known of a stream from reading it: whether it still is the same one, and whole.
#[derive(Debug, Default)]
pub(super) struct History {
    created: Option<Timestamp>,
    /// The newest message that was read, and when it was published.
    newest: Option<(u64, Timestamp)>,
    /// Which message comes next if none is missing. It cannot be told if others lie between.
    next: Option<u64>,
    /// What turned out to be missing.
    hole: Option<String>,
    /// Up to here, what is missing was told.
    told: u64,
}

/// How far a stream goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    created: Timestamp,
    first: u64,
    pub(super) last: u64,
    /// When its oldest message was published, if it has one.
    oldest: Option<Timestamp>,
    /// How many messages are missing from its midst.
    deleted: u64,
    /// Whether it has messages that are not read.
    is_shared: bool,
}

impl History {
    /// Why messages after this one may be missing, as far as the stream's extent tells.
    pub(super) fn gap(&self, after: u64, extent: &Extent) -> Option<String> {
        let reason = if let Some(hole) = &self.hole {
            hole
        } else if self.created.is_some_and(|created| created != extent.created) {
            "the stream was created anew"
        } else if extent.last < self.newest.map_or(after, |(newest, _)| newest.max(after)) {
            "the stream ends before what was read of it"
        } else if extent.first > after.saturating_add(1) {
            "the stream was trimmed"
        } else if extent.is_shared && extent.deleted > 0 && extent.last > after {
            "messages were deleted from the stream"
        } else {
            return None;
        };
        Some(reason.to_owned())
    }

    /// A message by which to tell whether the stream is still the one that was read, if it may still have it.
    pub(super) fn token(&self, extent: &Extent) -> Option<(u64, Timestamp)> {
        self.newest.filter(|&(newest, _)| newest >= extent.first)
    }

    /// Notes that reading goes on with this message.
    pub(super) fn opened(&mut self, extent: &Extent, next: u64, has_gap: bool) {
        self.created = Some(extent.created);
        self.next = (!extent.is_shared).then_some(next);
        if has_gap {
            self.newest = None;
            self.hole = None;
            self.told = extent.last;
        }
    }

    /// Notes that a message came.
    ///
    /// # Errors
    ///
    /// Others should have come before it, and are gone.
    pub(super) fn read(&mut self, sequence: u64, published: Timestamp) -> Result<(), String> {
        if let Some(next) = &mut self.next {
            if sequence > *next && sequence - 1 > self.told {
                let hole = format!("the stream lost messages {next} to {}", sequence - 1);
                self.hole = Some(hole.clone());
                return Err(hole);
            }
            // It may have come again.
            *next = sequence.saturating_add(1).max(*next);
        }
        if self.newest.is_none_or(|(newest, _)| newest < sequence) {
            self.newest = Some((sequence, published));
        }
        Ok(())
    }
}

impl Extent {
    pub(super) fn new(info: &Info, filter: Option<&str>) -> Self {
        let Info { config, state, .. } = info;
        let is_all =
            |filter| !config.subjects.is_empty() && config.subjects.iter().all(|subject| covers(filter, subject));
        Self {
            created: timestamp(info.created),
            first: state.first_sequence,
            last: state.last_sequence,
            oldest: (state.messages > 0).then(|| timestamp(state.first_timestamp)),
            deleted: state.deleted_count.unwrap_or(0),
            is_shared: !filter.is_none_or(is_all),
        }
    }

    /// Why messages since this time may be missing.
    pub(super) fn gap(&self, since: Timestamp) -> Option<String> {
        let is_untouched = self.first <= 1 && self.deleted == 0;
        let is_older = self.created < since || since == Timestamp::default();
        let has_older = self.oldest.is_some_and(|oldest| oldest < since);
        let reason = if is_untouched && is_older {
            return None;
        } else if !has_older {
            "the stream does not reach back far enough"
        } else if self.deleted > 0 {
            "messages were deleted from the stream"
        } else {
            return None;
        };
        Some(reason.to_owned())
    }
}

pub(super) fn timestamp(time: DateTime) -> Timestamp {
    Timestamp::from(SystemTime::from(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: u64) -> Timestamp {
        Timestamp::from_unix_secs(secs)
    }

    const UNTOUCHED: Extent = Extent {
        created: at(100),
        first: 1,
        last: 9,
        oldest: Some(at(110)),
        deleted: 0,
        is_shared: false,
    };

    #[test]
    fn reaches_back_to_its_creation_or_its_oldest_message() {
        assert_eq!(UNTOUCHED.gap(at(101)), None);
        assert_eq!(UNTOUCHED.gap(at(111)), None);
        assert_eq!(UNTOUCHED.gap(at(0)), None, "everything that it ever had");
        assert!(UNTOUCHED.gap(at(100)).is_some());
        let trimmed = Extent { first: 4, ..UNTOUCHED };
        assert_eq!(trimmed.gap(at(111)), None);
        for since in [0, 101, 110] {
            assert!(trimmed.gap(at(since)).is_some());
        }
        let empty = Extent {
            first: 10,
            oldest: None,
            ..UNTOUCHED
        };
        assert!(empty.gap(at(1000)).is_some());
        let holey = Extent {
            deleted: 1,
            ..UNTOUCHED
        };
        assert!(holey.gap(at(1000)).is_some());
    }

    #[test]
    fn goes_on_where_it_was_left_unless_that_is_gone() {
        let mut history = History::default();
        history.opened(&UNTOUCHED, 1, false);
        for sequence in 1..=5 {
            assert_eq!(history.read(sequence, at(110)), Ok(()));
        }
        assert_eq!(history.gap(3, &UNTOUCHED), None);
        assert_eq!(history.token(&UNTOUCHED), Some((5, at(110))));
        let trimmed = |first| Extent { first, ..UNTOUCHED };
        assert_eq!(history.gap(3, &trimmed(4)), None);
        assert!(history.gap(3, &trimmed(5)).is_some());
        assert_eq!(history.token(&trimmed(6)), None);
        let shorter = Extent { last: 4, ..UNTOUCHED };
        assert!(history.gap(3, &shorter).is_some(), "it had 5");
        let another = Extent {
            created: at(101),
            ..UNTOUCHED
        };
        assert!(history.gap(3, &another).is_some());
        let holey = Extent {
            deleted: 1,
            ..UNTOUCHED
        };
        assert_eq!(history.gap(3, &holey), None, "that will be seen");
        let shared = Extent {
            is_shared: true,
            ..holey
        };
        assert!(history.gap(3, &shared).is_some());
    }

    #[test]
    fn tells_of_each_hole_once() {
        let mut history = History::default();
        history.opened(&UNTOUCHED, 1, false);
        assert_eq!(history.read(1, at(110)), Ok(()));
        assert!(history.read(4, at(110)).is_err());
        assert!(
            history
                .gap(1, &UNTOUCHED)
                .is_some_and(|reason| reason.contains("2 to 3"))
        );
        history.opened(&UNTOUCHED, 1, true);
        assert_eq!(history.gap(1, &UNTOUCHED), None);
        for sequence in [1, 4, 9, 4] {
            assert_eq!(history.read(sequence, at(110)), Ok(()));
        }
        assert!(history.read(11, at(110)).is_err());
        let shared = Extent {
            is_shared: true,
            ..UNTOUCHED
        };
        history.opened(&shared, 1, false);
        assert_eq!(history.read(11, at(110)), Ok(()), "others are none of its business");
    }
}
