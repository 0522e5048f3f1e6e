//! Whether a stream is still the one that was read, and whole.

use std::time::SystemTime;

use async_nats::datetime::DateTime;
use async_nats::jetstream::stream::Info;

use crate::model::timestamp::Timestamp;
use crate::source::error::SourceError;
use crate::source::landmark::Landmark;
use crate::source::nats::subject::covers;
use crate::source::position::Start;

/// Whether a stream is whole while it is read.
#[derive(Debug)]
pub(super) struct Wholeness {
    /// When the stream was created.
    pub(super) created: Timestamp,
    /// Which message comes next if none is missing. It cannot be told if others lie between.
    next: Option<u64>,
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

impl Wholeness {
    /// Begins with the first message that is going to be read; after a gap, if there is one.
    pub(super) fn new(extent: &Extent, start: &Start, next: u64, has_gap: bool) -> Self {
        let told = start
            .landmarks(0)
            .map(|(_, landmark)| StreamPrint::of(landmark).told)
            .max();
        Self {
            created: extent.created,
            next: (!extent.is_shared).then_some(next),
            told: match has_gap {
                true => extent.last,
                false => told.unwrap_or_default(),
            },
        }
    }

    /// Notes that a message came. Returns by what to recognize the stream from there on.
    ///
    /// # Errors
    ///
    /// Others should have come before it, and are gone.
    pub(super) fn read(&mut self, sequence: u64, published: Timestamp) -> Result<Landmark, SourceError> {
        if let Some(next) = &mut self.next {
            if sequence > *next && sequence - 1 > self.told {
                let lost = format!("the stream lost messages {next} to {}", sequence - 1);
                return Err(SourceError::new(lost).as_loss());
            }
            // It may have come again.
            *next = sequence.saturating_add(1).max(*next);
        }
        let (created, told) = (self.created.as_unix_millis(), self.told);
        Ok(Landmark::new([created, published.as_unix_millis(), told, 0]))
    }
}

/// What a landmark tells of a stream.
struct StreamPrint {
    created: Timestamp,
    published: Timestamp,
    told: u64,
}

impl StreamPrint {
    const fn of(landmark: Landmark) -> Self {
        let [created, published, told, _] = landmark.numbers();
        Self {
            created: Timestamp::from_unix_millis(created),
            published: Timestamp::from_unix_millis(published),
            told,
        }
    }
}

/// Returns the newest message that was read and when it was published, if the stream may still have it: by that it is seen
/// whether it is still the same one.
pub(super) fn witness(start: &Start, extent: &Extent) -> Option<(u64, Timestamp)> {
    let (offset, landmark) = start.landmarks(0).next_back()?;
    let sequence = u64::try_from(offset).ok()?;
    (sequence >= extent.first).then(|| (sequence, StreamPrint::of(landmark).published))
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

    /// Returns why messages after this one may be missing, as far as the extent tells.
    pub(super) fn gap_after(&self, after: u64, start: &Start) -> Option<String> {
        let is_another = |(_, landmark)| StreamPrint::of(landmark).created != self.created;
        let newest = start.landmarks(0).next_back().map_or(0, |(newest, _)| newest);
        let reason = if start.landmarks(0).any(is_another) {
            "the stream was created anew"
        } else if u128::from(self.last) < newest.max(after.into()) {
            "the stream ends before what was read of it"
        } else if self.first > after.saturating_add(1) {
            "the stream was trimmed"
        } else if self.is_shared && self.deleted > 0 && self.last > after {
            "messages were deleted from the stream"
        } else {
            return None;
        };
        Some(reason.to_owned())
    }

    /// Returns why messages since this time may be missing.
    pub(super) fn gap_since(&self, since: Timestamp) -> Option<String> {
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
    use crate::source::position::Position;

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
        assert_eq!(UNTOUCHED.gap_since(at(101)), None);
        assert_eq!(UNTOUCHED.gap_since(at(111)), None);
        assert_eq!(UNTOUCHED.gap_since(at(0)), None, "everything that it ever had");
        assert!(UNTOUCHED.gap_since(at(100)).is_some());
        let trimmed = Extent { first: 4, ..UNTOUCHED };
        assert_eq!(trimmed.gap_since(at(111)), None);
        for since in [0, 101, 110] {
            assert!(trimmed.gap_since(at(since)).is_some());
        }
        let empty = Extent {
            first: 10,
            oldest: None,
            ..UNTOUCHED
        };
        assert!(empty.gap_since(at(1000)).is_some());
        let holey = Extent {
            deleted: 1,
            ..UNTOUCHED
        };
        assert!(holey.gap_since(at(1000)).is_some());
    }

    /// After message 3, when up to 5 were read of the stream.
    fn after_three() -> Start {
        let mut reading = Wholeness::new(&UNTOUCHED, &Start::since(at(0)), 1, false);
        let mut read = (1..=5).map(|sequence| {
            let landmark = reading.read(sequence, at(110)).unwrap();
            (Position::at(sequence.into()), landmark)
        });
        let known = [read.nth(2), read.nth(1)].map(Option::unwrap);
        Start::since(at(0)).and_after([known[0].0]).and_landmarks(known)
    }

    #[test]
    fn goes_on_where_it_was_left_unless_that_is_gone() {
        let start = after_three();
        let gap = |extent: Extent| extent.gap_after(3, &start);
        assert_eq!(gap(UNTOUCHED), None);
        assert_eq!(witness(&start, &UNTOUCHED), Some((5, at(110))));
        let trimmed = |first| Extent { first, ..UNTOUCHED };
        assert_eq!(gap(trimmed(4)), None);
        assert!(gap(trimmed(5)).is_some());
        assert_eq!(witness(&start, &trimmed(6)), None);
        let shorter = Extent { last: 4, ..UNTOUCHED };
        assert!(gap(shorter).is_some(), "it had 5");
        let another = Extent {
            created: at(101),
            ..UNTOUCHED
        };
        assert!(gap(another).is_some());
        let holey = Extent {
            deleted: 1,
            ..UNTOUCHED
        };
        assert_eq!(gap(holey), None, "that will be seen");
        let shared = Extent {
            is_shared: true,
            ..holey
        };
        assert!(gap(shared).is_some());
    }

    #[test]
    fn tells_of_each_hole_once() {
        let first = Start::since(at(0));
        let mut reading = Wholeness::new(&UNTOUCHED, &first, 1, false);
        assert!(reading.read(1, at(110)).is_ok());
        let lost = reading.read(4, at(110)).unwrap_err();
        assert_eq!(
            (lost.to_string().as_str(), lost.is_loss()),
            ("the stream lost messages 2 to 3", true)
        );
        let mut reading = Wholeness::new(&UNTOUCHED, &first, 1, true);
        assert!(reading.read(1, at(110)).is_ok());
        // Opened again before all of it was read.
        let known = (Position::at(1), reading.read(1, at(110)).unwrap());
        let start = first.clone().and_after([known.0]).and_landmarks([known]);
        let mut reading = Wholeness::new(&UNTOUCHED, &start, 2, false);
        for sequence in [4, 9, 4] {
            assert!(reading.read(sequence, at(110)).is_ok());
        }
        assert!(reading.read(11, at(110)).is_err());
        let shared = Extent {
            is_shared: true,
            ..UNTOUCHED
        };
        let mut reading = Wholeness::new(&shared, &first, 1, false);
        assert!(reading.read(11, at(110)).is_ok(), "others are none of its business");
    }
}
