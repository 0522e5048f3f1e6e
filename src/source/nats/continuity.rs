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
    /// How many messages are missing from its midst.
    pub(super) deleted: u64,
    /// Whether it has messages that are not read.
    is_shared: bool,
}

impl Wholeness {
    /// Begins with the first message that is going to be read. Up to a place, what is missing was told, or was seen before.
    pub(super) fn new(extent: &Extent, next: u64, told: u64) -> Self {
        Self {
            created: extent.created,
            next: (!extent.is_shared).then_some(next),
            told,
        }
    }

    /// Notes that a message came. Returns by what to recognize the stream from there on.
    ///
    /// # Errors
    ///
    /// Others should have come before it, and are gone.
    pub(super) fn read(&mut self, sequence: u64, published: Timestamp) -> Result<Landmark, SourceError> {
        self.passed(sequence.saturating_sub(1))?;
        if let Some(next) = &mut self.next {
            // It may have come again.
            *next = sequence.saturating_add(1).max(*next);
        }
        let (created, told) = (self.created.as_unix_millis(), self.told);
        Ok(Landmark::new([created, published.as_unix_millis(), told, 0]))
    }

    /// Notes that all messages up to this one have come, as far as they are there.
    ///
    /// # Errors
    ///
    /// Some of them have not: they are gone.
    pub(super) fn passed(&mut self, sequence: u64) -> Result<(), SourceError> {
        let Some(next) = &mut self.next else { return Ok(()) };
        if sequence >= *next && sequence > self.told {
            let lost = format!("the stream lost messages {next} to {sequence}");
            return Err(SourceError::new(lost).as_loss());
        }
        *next = sequence.saturating_add(1).max(*next);
        Ok(())
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

/// Returns up to where what is missing was told already, by what the start knows.
pub(super) fn told(start: &Start) -> u64 {
    let told = start.landmarks(0).map(|(_, landmark)| StreamPrint::of(landmark).told);
    told.max().unwrap_or_default()
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
            deleted: state.deleted_count.unwrap_or(0),
            is_shared: !filter.is_none_or(is_all),
        }
    }

    /// Returns whether the stream ends before what was read of it.
    pub(super) fn is_short(&self, after: u64, start: &Start) -> bool {
        let newest = start.landmarks(0).next_back().map_or(0, |(newest, _)| newest);
        u128::from(self.last) < newest.max(after.into())
    }

    /// Returns why messages after this one may be missing, as far as the extent tells. Up to a place, all was seen.
    pub(super) fn gap_after(&self, seen: u64, after: u64, start: &Start) -> Option<&'static str> {
        let is_another = |(_, landmark)| StreamPrint::of(landmark).created != self.created;
        if start.landmarks(0).any(is_another) {
            Some("the stream was created anew")
        } else if self.is_short(seen, start) {
            Some("the stream ends before what was read of it")
        } else if self.first > after.saturating_add(1) {
            Some("the stream was trimmed")
        } else {
            None
        }
    }

    /// Returns whether the stream has everything that it ever had.
    ///
    /// When it was created proves nothing: a stream whose only copy was lost comes back by itself, empty, and keeps that time.
    pub(super) const fn is_untouched(&self) -> bool {
        self.first <= 1 && self.deleted == 0
    }

    /// Returns the message before this one, if the stream may have it.
    pub(super) fn before(&self, sequence: u64) -> Option<u64> {
        let before = sequence.checked_sub(1)?;
        (before >= self.first.max(1)).then_some(before)
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
        deleted: 0,
        is_shared: false,
    };

    #[test]
    fn what_proves_that_it_reaches_back_is_a_message_and_not_its_creation() {
        assert!(UNTOUCHED.is_untouched());
        assert_eq!(UNTOUCHED.before(10), Some(9));
        assert_eq!(UNTOUCHED.before(1), None, "there is none before the first");
        let trimmed = Extent { first: 4, ..UNTOUCHED };
        assert!(!trimmed.is_untouched());
        assert_eq!((trimmed.before(5), trimmed.before(4)), (Some(4), None));
        let empty = Extent { first: 10, ..UNTOUCHED };
        assert_eq!(empty.before(10), None);
        let never_used = Extent {
            first: 0,
            last: 0,
            ..UNTOUCHED
        };
        assert!(never_used.is_untouched());
        assert_eq!(never_used.before(1), None);
        let holey = Extent {
            deleted: 1,
            ..UNTOUCHED
        };
        assert!(!holey.is_untouched());
    }

    /// After message 3, when up to 5 were read of the stream.
    fn after_three() -> Start {
        let mut reading = Wholeness::new(&UNTOUCHED, 1, 0);
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
        let gap = |extent: Extent| extent.gap_after(3, 3, &start);
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
    }

    #[test]
    fn tells_of_each_hole_once() {
        let first = Start::since(at(0));
        let mut reading = Wholeness::new(&UNTOUCHED, 1, 0);
        assert!(reading.read(1, at(110)).is_ok());
        let lost = reading.read(4, at(110)).unwrap_err();
        assert_eq!(
            (lost.to_string().as_str(), lost.is_loss()),
            ("the stream lost messages 2 to 3", true)
        );
        let mut reading = Wholeness::new(&UNTOUCHED, 1, 9);
        assert!(reading.read(1, at(110)).is_ok());
        // Opened again before all of it was read.
        let known = (Position::at(1), reading.read(1, at(110)).unwrap());
        let start = first.clone().and_after([known.0]).and_landmarks([known]);
        let mut reading = Wholeness::new(&UNTOUCHED, 2, told(&start));
        for sequence in [4, 9, 4] {
            assert!(reading.read(sequence, at(110)).is_ok());
        }
        assert!(reading.read(11, at(110)).is_err());
        let shared = Extent {
            is_shared: true,
            ..UNTOUCHED
        };
        let mut reading = Wholeness::new(&shared, 1, 0);
        assert!(reading.read(11, at(110)).is_ok(), "others are none of its business");
        assert!(reading.passed(20).is_ok());
    }

    #[test]
    fn what_was_passed_and_did_not_come_is_lost() {
        let mut reading = Wholeness::new(&UNTOUCHED, 1, 0);
        assert!(reading.passed(0).is_ok());
        for sequence in 1..=3 {
            assert!(reading.read(sequence, at(110)).is_ok());
            assert!(reading.passed(sequence).is_ok());
        }
        let lost = reading.passed(4).unwrap_err();
        assert_eq!(
            (lost.to_string().as_str(), lost.is_loss()),
            ("the stream lost messages 4 to 4", true)
        );
        // The newest ones were gone when it was opened, and that was told.
        let mut reading = Wholeness::new(&UNTOUCHED, 4, 9);
        assert!(reading.passed(9).is_ok() && reading.read(10, at(110)).is_ok());
        assert!(reading.passed(11).is_err());
    }
}
