//! How far a stream was read, and whether all of it.

use crate::model::timestamp::Timestamp;
use crate::source::event_source::Continuity;
use crate::source::landmark::Landmark;
use crate::source::position::Start;
use crate::source::redis::entry::{Id, Mark, StreamEntry};
use crate::source::redis::info::Info;

/// How far a stream was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamProgress {
    /// The newest entry that was read, or the number after which reading starts.
    pub(super) after: Id,
    /// The digest of that entry, if it was read.
    digest: Option<u64>,
    read: Tally,
    /// The stream when it was last looked at.
    seen: Info,
}

/// How many of the entries that were ever added lie up to there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tally {
    Known(u64),
    /// Until all of the stream was read.
    NotYet,
    /// The server does not count.
    Never,
}

impl StreamProgress {
    /// Where reading starts the first time, and whether everything since then is there.
    pub(super) fn first(start: &Start, info: &Info) -> (Self, Continuity) {
        let since = match info.has_times() {
            true => Id::first_at(start.time()),
            false => Id::default(),
        };
        let is_all = since == Id::default() && info.added == Some(info.length);
        let has_older = info.first.is_some_and(|first| first < since);
        let reason = if is_all {
            None
        } else if info.deleted.is_some_and(|deleted| deleted >= since) {
            Some("entries of the stream were deleted")
        } else {
            (!has_older).then_some("the stream does not reach back far enough")
        };
        let continuity = reason.map_or(Continuity::Complete, |reason| Continuity::Gap(reason.to_owned()));
        // Everything that is still to come is wanted, also if the server's clock says that it is older.
        (Self::at(since.before().min(info.newest), info), continuity)
    }

    /// Where reading goes on after what was read, if what was read is there: then so is everything since, as streams lose their
    /// oldest. Unless the landmarks tell that it is another stream, or that others were lost.
    ///
    /// `there` is what the stream has where something was read.
    pub(super) fn resumed(after: Id, there: &[Mark], start: &Start, info: &Info) -> (Self, Continuity) {
        let known: Vec<_> = start
            .landmarks(0)
            .map(|(offset, landmark)| (Id(offset), landmark))
            .collect();
        let is_other =
            |(id, landmark): &(Id, Landmark)| there.iter().any(|mark| mark.id == *id && !is_known(mark, *landmark));
        let loss = match known.iter().any(is_other) {
            true => Some(OTHER),
            false => known
                .iter()
                .find_map(|(id, landmark)| lost(*id, None, Tally::of(*landmark), info)),
        };
        // That number, or that of the first that is not settled, less one.
        let is_there = there.iter().any(|mark| mark.id == after || mark.id == after.after());
        let reason = match loss {
            Some(loss) => loss,
            None if is_there => {
                let mut progress = Self::at(after, info);
                progress.digest = there.iter().find(|mark| mark.id == after).map(|mark| mark.digest);
                match (progress.read, read_up_to(after, &known)) {
                    (Tally::NotYet, Some(read)) => progress.read = Tally::Known(read),
                    (Tally::NotYet, None) if info.deleted.is_some_and(|deleted| deleted > after) => {
                        return (Self::first(start, info).0, Continuity::Gap(DROPPED.to_owned()));
                    }
                    _ => {}
                }
                return (progress, Continuity::Complete);
            }
            None if info.newest < after => SET_BACK,
            None => "the stream was trimmed or wiped",
        };
        (Self::first(start, info).0, Continuity::Gap(reason.to_owned()))
    }

    fn at(after: Id, info: &Info) -> Self {
        let read = match (info.added, info.ahead_of(after)) {
            (None, _) => Tally::Never,
            (Some(_), None) => Tally::NotYet,
            (Some(added), Some(ahead)) => Tally::Known(added.saturating_sub(ahead)),
        };
        Self {
            after,
            digest: None,
            read,
            seen: *info,
        }
    }

    /// Moves on behind these entries.
    pub(super) fn pass(&mut self, entries: &[StreamEntry]) {
        if let Some(last) = entries.last() {
            (self.after, self.digest) = (last.id, Some(last.digest));
        }
        if let Tally::Known(read) = &mut self.read {
            *read += entries.len() as u64;
        }
    }

    /// Whether a look is needed after each batch: nothing else proves that none was dropped.
    pub(super) fn needs_looks(&self, is_lagging: bool) -> bool {
        match self.read {
            Tally::Known(_) => false,
            Tally::NotYet => true,
            Tally::Never => is_lagging,
        }
    }

    /// Checks that nothing was dropped before it was read, given how the stream is now and the place before the last batch.
    pub(super) fn check(&mut self, before: Id, info: &Info) -> Result<(), &'static str> {
        if let Some(loss) = lost(self.after, self.digest, self.read, info) {
            return Err(loss);
        }
        if !matches!((self.read, info.added), (Tally::Known(_), Some(_))) {
            let has_older = info.first.is_some_and(|first| first <= before);
            let is_as_it_was = info.first.is_some() && info.first == self.seen.first;
            if !(has_older || is_as_it_was || info.newest == before) || self.is_thinned(before, info) {
                return Err(DROPPED);
            }
        }
        if let (Tally::NotYet, Some(added), Some(ahead)) = (self.read, info.added, info.ahead_of(self.after)) {
            self.read = Tally::Known(added.saturating_sub(ahead));
        }
        self.seen = *info;
        Ok(())
    }

    /// Whether something was taken from the midst of the stream since the last look, and it is not known that it was read.
    fn is_thinned(&self, before: Id, info: &Info) -> bool {
        if info.deleted != self.seen.deleted {
            return info.deleted > Some(before);
        }
        // `XTRIM … ACKED` takes what groups have read, wherever it lies.
        info.removed() != self.seen.removed() && info.first == self.seen.first
    }

    /// By what to recognize the stream, from the entry with this digest that so many lie behind of those that were passed.
    pub(super) fn landmark(&self, behind: u64, digest: u64) -> Landmark {
        Landmark::new(match self.read {
            Tally::Known(read) => [1, read.saturating_sub(behind), digest, 0],
            Tally::NotYet | Tally::Never => [0, 0, digest, 0],
        })
    }

    /// How many entries are still to come, as of the last look.
    pub(super) fn lag(&self) -> Option<u64> {
        match self.read {
            Tally::Known(read) => Some(self.seen.added.unwrap_or_default().saturating_sub(read)),
            Tally::NotYet | Tally::Never => None,
        }
    }
}

impl Tally {
    fn of(landmark: Landmark) -> Self {
        match landmark.numbers() {
            [1, read, ..] => Self::Known(read),
            _ => Self::NotYet,
        }
    }
}

/// Whether an entry is the one that was read under its number.
fn is_known(mark: &Mark, read: Landmark) -> bool {
    let [.., digest, _] = read.numbers();
    digest == mark.digest
}

/// How many entries lie up to a place, as the landmarks next to it tell.
fn read_up_to(after: Id, known: &[(Id, Landmark)]) -> Option<u64> {
    // The first that was not settled; or the one that was read before it.
    let next = known.iter().find(|(id, _)| *id == after.after());
    let last = || known.iter().rfind(|(id, _)| *id <= after);
    let (landmark, after_it) = match next {
        Some((_, landmark)) => (landmark, 1),
        None => (&last()?.1, 0),
    };
    match Tally::of(*landmark) {
        Tally::Known(read) => read.checked_sub(after_it),
        Tally::NotYet | Tally::Never => None,
    }
}

/// What is wrong with a stream of which so many entries lay up to one that was read, as far as the server tells.
fn lost(after: Id, digest: Option<u64>, read: Tally, info: &Info) -> Option<&'static str> {
    if info.newest < after {
        return Some(SET_BACK);
    }
    let is_other = |last: Mark| last.id == after && digest.is_some_and(|digest| digest != last.digest);
    if info.last.is_some_and(is_other) {
        return Some(OTHER);
    }
    let is_sound = match (read, info.added, info.ahead_of(after)) {
        (Tally::Known(read), Some(added), Some(ahead)) => read + ahead == added,
        (Tally::Known(read), Some(added), None) => read < added,
        _ => true,
    };
    (!is_sound).then_some(DROPPED)
}

impl Info {
    /// How many entries come after this one, if it is plain: none or all.
    fn ahead_of(&self, after: Id) -> Option<u64> {
        match (self.first, self.last) {
            (Some(first), Some(_)) if first > after => Some(self.length),
            // Though others may have been added, and deleted at once.
            (Some(_), Some(last)) if last.id > after => None,
            _ => Some(0),
        }
    }

    /// How many entries were added and are not there any more.
    fn removed(&self) -> Option<u64> {
        Some(self.added?.saturating_sub(self.length))
    }

    /// Whether the numbers of entries may be times: issuers may give them numbers of their own.
    fn has_times(&self) -> bool {
        self.newest == Id::default() || self.newest >= Id::first_at(BEFORE_REDIS)
    }
}

/// A time before which no server has given a number to an entry: in 2001.
const BEFORE_REDIS: Timestamp = Timestamp::from_unix_secs(1_000_000_000);
const SET_BACK: &str = "the stream was wiped or set back";
const OTHER: &str = "the stream has another entry where one was read";
const DROPPED: &str = "entries of the stream were dropped before they were read";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::timestamp::Timestamp;
    use crate::source::position::Position;

    /// Numbers of entries are times.
    const ZERO: u64 = BEFORE_REDIS.as_unix_millis();

    fn id(number: u64) -> Id {
        Id::first_at(Timestamp::from_unix_millis(ZERO + number))
    }

    fn mark(number: u64) -> Mark {
        Mark {
            id: id(number),
            digest: 1_000 + number,
        }
    }

    /// A stream of `added` entries, numbered from 1 in milliseconds, of which `length` are left.
    fn stream(added: u64, length: u64) -> Info {
        Info {
            length,
            added: Some(added),
            first: (length > 0).then(|| id(added - length + 1)),
            last: (length > 0).then(|| mark(added)),
            newest: id(added),
            deleted: None,
        }
    }

    fn uncounted(info: Info) -> Info {
        Info { added: None, ..info }
    }

    fn since(number: u64) -> Start {
        Start::since(Timestamp::from_unix_millis(ZERO + number))
    }

    fn since_ever() -> Start {
        Start::since(Timestamp::default())
    }

    fn pass(place: &mut StreamProgress, numbers: std::ops::RangeInclusive<u64>) -> Id {
        let before = place.after;
        let entries: Vec<StreamEntry> = numbers
            .map(|number| StreamEntry {
                id: id(number),
                digest: mark(number).digest,
                payload: Vec::new(),
            })
            .collect();
        place.pass(&entries);
        before
    }

    #[test]
    fn what_is_older_proves_that_the_rest_is_there() {
        let continuity = |number, info| StreamProgress::first(&since(number), &info).1;
        let of_all = |info| StreamProgress::first(&since_ever(), &info).1;
        assert_eq!(continuity(5, stream(9, 6)), Continuity::Complete);
        assert!(matches!(continuity(4, stream(9, 6)), Continuity::Gap(_)));
        assert!(matches!(continuity(4, stream(9, 0)), Continuity::Gap(_)));
        assert!(matches!(continuity(1, Info::default()), Continuity::Gap(_)));
        // All that there ever was.
        assert_eq!(of_all(stream(9, 9)), Continuity::Complete);
        assert_eq!(of_all(stream(0, 0)), Continuity::Complete);
        assert!(matches!(of_all(stream(9, 8)), Continuity::Gap(_)));
    }

    #[test]
    fn entries_that_seem_older_than_the_start_are_read_if_they_come_later() {
        let (place, _) = StreamProgress::first(&since(1_000), &stream(9, 9));
        assert_eq!(place.after, stream(9, 9).newest);
    }

    #[test]
    fn at_the_end_a_stream_may_lose_everything_that_was_read_and_nothing_else() {
        for info in [stream(9, 9), stream(9, 1), stream(9, 0)] {
            let (mut place, _) = StreamProgress::first(&since(1_000), &info);
            assert_eq!(place.check(place.after, &stream(9, 0)), Ok(()));
            assert_eq!(place.check(place.after, &stream(12, 3)), Ok(()));
            assert_eq!(place.lag(), Some(3));
            assert_eq!(place.check(place.after, &stream(12, 2)), Err(DROPPED));
            let before = pass(&mut place, 11..=12);
            assert_eq!(place.check(before, &stream(12, 2)), Err(DROPPED));
        }
    }

    #[test]
    fn another_stream_is_noticed_however_long_it_is() {
        let (mut place, _) = StreamProgress::first(&since(1_000), &stream(9, 9));
        assert_eq!(place.check(place.after, &stream(8, 8)), Err(SET_BACK));
        assert_eq!(place.check(place.after, &Info::default()), Err(SET_BACK));
        // Three are in it, all of them newer than ours.
        let newer = Info {
            added: Some(3),
            ..stream(20, 3)
        };
        assert_eq!(place.check(place.after, &newer), Err(DROPPED));
        let before = pass(&mut place, 18..=20);
        assert_eq!(place.check(before, &newer), Err(DROPPED));
    }

    #[test]
    fn until_the_end_is_reached_something_as_old_as_the_place_has_to_be_there() {
        for (place, of_server) in [
            (
                StreamProgress::first(&since(4), &stream(9, 9)).0,
                (|info| info) as fn(Info) -> Info,
            ),
            (StreamProgress::first(&since(4), &uncounted(stream(9, 9))).0, uncounted),
        ] {
            assert!(place.needs_looks(true));
            let mut trimmed = place;
            let before = pass(&mut trimmed, 6..=7);
            assert_eq!(trimmed.check(before, &of_server(stream(9, 4))), Err(DROPPED));
            let mut whole = place;
            let before = pass(&mut whole, 4..=9);
            assert_eq!(whole.check(before, &of_server(stream(9, 8))), Ok(()));
            let is_counted = of_server(stream(9, 8)).added.is_some();
            assert_eq!(whole.lag(), is_counted.then_some(0));
            assert_eq!(whole.needs_looks(true), !is_counted);
        }
    }

    #[test]
    fn without_a_count_an_idle_stream_is_whole_whatever_it_loses() {
        let (mut place, _) = StreamProgress::first(&since(1_000), &uncounted(stream(9, 9)));
        assert_eq!(place.check(place.after, &uncounted(stream(9, 0))), Ok(()));
        let before = pass(&mut place, 10..=10);
        assert_eq!(place.check(before, &uncounted(stream(10, 1))), Err(DROPPED), "in doubt");
    }

    #[test]
    fn what_was_deleted_since_the_start_is_a_gap() {
        let continuity = |deleted| {
            let info = Info {
                deleted: Some(id(deleted)),
                ..stream(9, 5)
            };
            StreamProgress::first(&since(6), &info).1
        };
        assert_eq!(continuity(5), Continuity::Complete);
        for deleted in [6, 9] {
            assert!(matches!(continuity(deleted), Continuity::Gap(_)));
        }
    }

    #[test]
    fn numbers_of_the_issuers_own_are_no_times() {
        let own = |number: u64| Id(u128::from(number) << 64);
        let info = |added: u64, length: u64| Info {
            length,
            added: Some(added),
            first: Some(own(added - length + 1)),
            last: Some(Mark {
                id: own(added),
                digest: 1,
            }),
            newest: own(added),
            deleted: None,
        };
        // Nothing tells which of them are as old as the list: all are read.
        let (place, continuity) = StreamProgress::first(&since(1_000), &info(9, 9));
        assert_eq!((place.after, continuity), (Id::default(), Continuity::Complete));
        let (place, continuity) = StreamProgress::first(&since(1_000), &info(9, 8));
        assert_eq!(place.after, Id::default());
        assert!(matches!(continuity, Continuity::Gap(_)));
    }

    #[test]
    fn what_is_added_and_deleted_at_once_is_missed() {
        let (place, _) = StreamProgress::first(&since(1_000), &stream(9, 9));
        let info = Info {
            deleted: Some(id(10)),
            newest: id(10),
            added: Some(10),
            ..stream(9, 9)
        };
        assert_eq!({ place }.check(place.after, &info), Err(DROPPED));
    }

    #[test]
    fn until_the_end_is_reached_nothing_may_be_taken_from_what_is_to_come() {
        let thinned = |deleted: Option<u64>, length: u64, first: u64| Info {
            length,
            first: Some(id(first)),
            deleted: deleted.map(id),
            ..stream(9, 9)
        };
        for (info, expected) in [
            (thinned(Some(7), 8, 1), Err(DROPPED)),
            // It was read.
            (thinned(Some(2), 8, 1), Ok(())),
            // Acknowledged ones were trimmed, wherever they were.
            (thinned(None, 8, 1), Err(DROPPED)),
            // The oldest were trimmed.
            (thinned(None, 8, 2), Ok(())),
        ] {
            let (mut place, _) = StreamProgress::first(&since(3), &stream(9, 9));
            let before = pass(&mut place, 3..=4);
            assert_eq!(place.check(before, &info), expected, "{info:?}");
        }
    }

    #[test]
    fn another_entry_under_the_number_of_the_last_one_is_noticed_at_each_look() {
        let (mut place, _) = StreamProgress::first(&since(1_000), &stream(9, 9));
        let before = pass(&mut place, 10..=10);
        assert_eq!(place.check(before, &stream(10, 10)), Ok(()));
        let other = Info {
            last: Some(Mark { id: id(10), digest: 1 }),
            ..stream(10, 10)
        };
        assert_eq!(place.check(before, &other), Err(OTHER));
    }

    #[test]
    fn reading_goes_on_only_after_something_that_is_there() {
        let after = id(5);
        let resumed = |there: &[Mark], known: Option<(u64, u64)>, info| {
            let known = known.map(|(number, read)| {
                (
                    Position::at(id(number).0),
                    Landmark::new([1, read, mark(number).digest, 0]),
                )
            });
            StreamProgress::resumed(after, there, &since_ever().and_landmarks(known), &info)
        };
        let other = Mark { id: after, digest: 1 };
        for (there, known) in [
            (mark(5), None),
            (mark(5), Some((5, 5))),
            (mark(5), Some((9, 9))),
            (other, Some((9, 9))),
        ] {
            let (progress, continuity) = resumed(&[there], known, stream(9, 9));
            assert_eq!((progress.after, continuity), (after, Continuity::Complete));
        }
        // It is not there; or it is, but fewer came before it, or the newest that was read is gone, or it is another one.
        for (there, known) in [
            (vec![], None),
            (vec![mark(5)], Some((9, 8))),
            (vec![mark(5)], Some((10, 10))),
            (vec![other], Some((5, 5))),
        ] {
            let (progress, continuity) = resumed(&there, known, stream(9, 3));
            assert!(matches!(continuity, Continuity::Gap(_)), "{there:?} {known:?}");
            assert_eq!(progress.after, Id::default());
        }
    }

    #[test]
    fn what_was_taken_from_the_midst_while_nobody_read_is_missed_at_the_end() {
        // Five were read and settled, and one of nine is not there. The place is that of the fifth, or before the sixth.
        for (next, after) in [(5, id(5)), (6, id(6).before())] {
            let landmark = (Position::at(id(next).0), Landmark::new([1, next, mark(next).digest, 0]));
            let start = since_ever().and_landmarks([landmark]);
            let info = Info {
                length: 8,
                ..stream(9, 9)
            };
            let (mut place, continuity) = StreamProgress::resumed(after, &[mark(next)], &start, &info);
            assert_eq!(continuity, Continuity::Complete, "so far");
            let mut whole = place;
            let before = pass(&mut place, 7..=9);
            assert_eq!(place.check(before, &info), Err(DROPPED));
            let before = pass(&mut whole, 6..=9);
            assert_eq!(whole.check(before, &info), Ok(()), "it was one that had been read");
        }
        // Where it is not known how many were read, it is in doubt.
        let info = Info {
            deleted: Some(id(7)),
            ..stream(9, 9)
        };
        let (_, continuity) = StreamProgress::resumed(id(5), &[mark(5)], &since_ever(), &info);
        assert!(matches!(continuity, Continuity::Gap(_)));
    }

    #[test]
    fn a_landmark_tells_how_many_entries_lie_up_to_its_own_and_which_it_is() {
        let (mut place, _) = StreamProgress::first(&since(1_000), &stream(9, 9));
        pass(&mut place, 10..=12);
        for (behind, read) in [(0, 12), (2, 10)] {
            let landmark = place.landmark(behind, 7);
            assert_eq!(landmark.numbers(), [1, read, 7, 0]);
            assert_eq!(Tally::of(landmark), Tally::Known(read));
        }
        let (place, _) = StreamProgress::first(&since(4), &stream(9, 9));
        assert_eq!(place.landmark(0, 7).numbers(), [0, 0, 7, 0]);
    }
}
