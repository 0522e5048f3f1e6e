//! How far a stream was read, and whether all of it.

use crate::source::event_source::Continuity;
use crate::source::landmark::Landmark;
use crate::source::position::Start;
use crate::source::redis::entry::{Id, StreamEntry};
use crate::source::redis::info::Info;

/// How far a stream was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamProgress {
    /// The newest entry that was read, or the number after which reading starts.
    pub(super) after: Id,
    read: Tally,
    /// The oldest entry that the stream held when last looked at.
    first: Option<Id>,
    /// How many entries were added by then.
    added: u64,
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
        let since = Id::first_at(start.time());
        let has_older = info.first.is_some_and(|first| first < since);
        let is_from_the_beginning = since == Id::default() && info.added == Some(info.length);
        let continuity = match has_older || is_from_the_beginning {
            true => Continuity::Complete,
            false => Continuity::Gap("the stream does not reach back far enough".to_owned()),
        };
        // Everything that is still to come is wanted, also if the server's clock says that it is older.
        (Self::at(since.before().min(info.newest), info), continuity)
    }

    /// Where reading goes on after what was read, if what was read is there: then so is everything since, as streams lose their
    /// oldest. Unless the landmarks tell that it is another stream.
    pub(super) fn resumed(after: Id, is_there: bool, start: &Start, info: &Info) -> (Self, Continuity) {
        let known = start.landmarks(0);
        let loss = known
            .filter_map(|(offset, landmark)| lost(Id(offset), Tally::of(landmark), info))
            .next();
        let reason = match loss {
            Some(loss) => loss,
            None if is_there => return (Self::at(after, info), Continuity::Complete),
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
            read,
            first: info.first,
            added: info.added.unwrap_or_default(),
        }
    }

    /// Moves on behind these entries.
    pub(super) fn pass(&mut self, entries: &[StreamEntry]) {
        if let Some(last) = entries.last() {
            self.after = last.id;
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
        if let Some(loss) = lost(self.after, self.read, info) {
            return Err(loss);
        }
        let ahead = info.ahead_of(self.after);
        if !matches!((self.read, info.added), (Tally::Known(_), Some(_))) {
            let has_older = info.first.is_some_and(|first| first <= before);
            let is_as_it_was = info.first.is_some() && info.first == self.first;
            if !(has_older || is_as_it_was || info.newest == before) {
                return Err(DROPPED);
            }
        }
        if let (Tally::NotYet, Some(added), Some(ahead)) = (self.read, info.added, ahead) {
            self.read = Tally::Known(added.saturating_sub(ahead));
        }
        self.first = info.first;
        self.added = info.added.unwrap_or_default();
        Ok(())
    }

    /// By what to recognize the stream, from the entry that so many lie behind of those that were passed.
    pub(super) fn landmark(&self, behind: u64) -> Landmark {
        Landmark::new(match self.read {
            Tally::Known(read) => [1, read.saturating_sub(behind), 0, 0],
            Tally::NotYet | Tally::Never => [0; 4],
        })
    }

    /// How many entries are still to come, as of the last look.
    pub(super) fn lag(&self) -> Option<u64> {
        match self.read {
            Tally::Known(read) => Some(self.added.saturating_sub(read)),
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

/// What is wrong with a stream of which so many entries lay up to one that was read, as far as the server's counts tell.
fn lost(after: Id, read: Tally, info: &Info) -> Option<&'static str> {
    if info.newest < after {
        return Some(SET_BACK);
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
        match self.first {
            _ if self.newest <= after => Some(0),
            None => Some(0),
            Some(first) if first > after => Some(self.length),
            Some(_) => None,
        }
    }
}

const SET_BACK: &str = "the stream was wiped or set back";
const DROPPED: &str = "entries of the stream were dropped before they were read";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::timestamp::Timestamp;
    use crate::source::position::Position;

    /// A stream of `added` entries, numbered from 1 in milliseconds, of which `length` are left.
    fn stream(added: u64, length: u64) -> Info {
        let id = |millis| Id::first_at(Timestamp::from_unix_millis(millis));
        Info {
            length,
            added: Some(added),
            first: (length > 0).then(|| id(added - length + 1)),
            last: (length > 0).then(|| id(added)),
            newest: id(added),
        }
    }

    fn uncounted(info: Info) -> Info {
        Info { added: None, ..info }
    }

    fn since(millis: u64) -> Start {
        Start::since(Timestamp::from_unix_millis(millis))
    }

    fn pass(place: &mut StreamProgress, numbers: std::ops::RangeInclusive<u64>) -> Id {
        let before = place.after;
        let entries: Vec<StreamEntry> = numbers
            .map(|millis| StreamEntry {
                id: Id::first_at(Timestamp::from_unix_millis(millis)),
                payload: Vec::new(),
            })
            .collect();
        place.pass(&entries);
        before
    }

    #[test]
    fn what_is_older_proves_that_the_rest_is_there() {
        let continuity = |millis, info| StreamProgress::first(&since(millis), &info).1;
        assert_eq!(continuity(5, stream(9, 6)), Continuity::Complete);
        assert!(matches!(continuity(4, stream(9, 6)), Continuity::Gap(_)));
        assert!(matches!(continuity(4, stream(9, 0)), Continuity::Gap(_)));
        assert!(matches!(continuity(1, Info::default()), Continuity::Gap(_)));
        // All that there ever was.
        assert_eq!(continuity(0, stream(9, 9)), Continuity::Complete);
        assert_eq!(continuity(0, stream(0, 0)), Continuity::Complete);
        assert!(matches!(continuity(0, stream(9, 8)), Continuity::Gap(_)));
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
    fn reading_goes_on_only_after_something_that_is_there() {
        let after = stream(5, 1).newest;
        let resumed = |is_there, known: Option<(u64, u64)>, info| {
            let known =
                known.map(|(number, read)| (Position::at(stream(number, 1).newest.0), Landmark::new([1, read, 0, 0])));
            StreamProgress::resumed(after, is_there, &since(0).and_landmarks(known), &info)
        };
        for known in [None, Some((5, 5)), Some((9, 9))] {
            let (progress, continuity) = resumed(true, known, stream(9, 9));
            assert_eq!((progress.after, continuity), (after, Continuity::Complete));
        }
        // It is not there; or it is, but fewer came before it, or the newest that was read is gone.
        for (is_there, known) in [(false, None), (true, Some((9, 8))), (true, Some((10, 10)))] {
            let (progress, continuity) = resumed(is_there, known, stream(9, 3));
            assert!(matches!(continuity, Continuity::Gap(_)));
            assert_eq!(progress.after, Id::default());
        }
    }

    #[test]
    fn a_landmark_tells_how_many_entries_lie_up_to_its_own() {
        let (mut place, _) = StreamProgress::first(&since(1_000), &stream(9, 9));
        pass(&mut place, 10..=12);
        for (behind, read) in [(0, 12), (2, 10)] {
            assert_eq!(place.landmark(behind).numbers(), [1, read, 0, 0]);
            assert_eq!(Tally::of(place.landmark(behind)), Tally::Known(read));
        }
    }
}
