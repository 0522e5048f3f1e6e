//! How far the table was read, and whether all of it.

use crate::model::timestamp::Timestamp;
use crate::source::event_source::Continuity;
use crate::source::landmark::{Landmark, hash};
use crate::source::position::Start;
use crate::source::postgres::place::OutboxPlace;
use crate::source::postgres::query::{OutboxFacts, OutboxRow};

/// How far the table was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OutboxProgress {
    /// The digest of the name that the table has for itself.
    log: u64,
    pub(super) after: OutboxPlace,
    /// The digest of the row there, if it was read.
    digest: Option<u64>,
}

impl OutboxProgress {
    /// Begins with the oldest row, and says whether everything since the start is there.
    pub(super) fn first(start: &Start, facts: &OutboxFacts) -> (Self, Continuity) {
        let is_older = |millis: u64| Timestamp::from_unix_millis(millis) <= start.time();
        let reason = if !is_older(facts.began) {
            Some("the table is younger than that")
        } else {
            let is_all = facts.trimmed_at.is_none_or(is_older);
            (!is_all).then_some("rows were removed since")
        };
        let continuity = reason.map_or(Continuity::Complete, |reason| Continuity::Gap(reason.to_owned()));
        let progress = Self {
            log: hash(&facts.log),
            after: facts.trimmed(),
            digest: None,
        };
        (progress, continuity)
    }

    /// Goes on after what was read, if all since then is there. `there` is what lies where something was read.
    pub(super) fn resumed(
        after: OutboxPlace,
        there: &[(OutboxPlace, Landmark, Option<String>)],
        start: &Start,
        facts: &OutboxFacts,
    ) -> (Self, Continuity) {
        let log = hash(&facts.log);
        let problem = there.iter().find_map(|(place, landmark, event)| {
            let digest = Some(landmark.numbers()[1]);
            let was = Self {
                log: landmark.numbers()[0],
                after: *place,
                digest,
            };
            // Whether rows behind it were removed is asked for the place where reading goes on.
            was.check_row(event.as_deref(), facts).err()
        });
        let read = there.iter().find(|(place, ..)| *place == after);
        let progress = Self {
            log,
            after,
            digest: read.map(|(_, landmark, _)| landmark.numbers()[1]),
        };
        match problem.map_or_else(|| progress.check(facts), Err) {
            Ok(()) => (progress, Continuity::Complete),
            Err(problem) => (Self::first(start, facts).0, Continuity::Gap(problem.to_owned())),
        }
    }

    /// Checks that nothing is missing between what was read and what this look found.
    pub(super) fn check(&self, facts: &OutboxFacts) -> Result<(), &'static str> {
        self.check_row(facts.last.as_deref(), facts)?;
        match facts.trimmed() > self.after {
            true => Err(TRIMMED),
            false => Ok(()),
        }
    }

    fn check_row(&self, event: Option<&str>, facts: &OutboxFacts) -> Result<(), &'static str> {
        if self.log != hash(&facts.log) {
            return Err(OTHER);
        }
        if self.after.xid >= facts.next_xid() {
            return Err(SET_BACK);
        }
        match (self.digest, event) {
            (Some(digest), Some(event)) if hash(event) != digest => Err(OTHER),
            (Some(_), None) if self.after > facts.trimmed() => Err(SET_BACK),
            _ => Ok(()),
        }
    }

    /// Moves on behind this row, and returns by what it is recognized.
    pub(super) fn pass(&mut self, row: &OutboxRow) -> Landmark {
        let digest = hash(row.event.as_str());
        (self.after, self.digest) = (row.place, Some(digest));
        Landmark::new([self.log, digest, 0, 0])
    }
}

const OTHER: &str = "the table is another one";
const SET_BACK: &str = "the table was set back";
const TRIMMED: &str = "rows were removed before they were read";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn place(xid: u64, n: i64) -> OutboxPlace {
        OutboxPlace { xid, n }
    }

    fn facts(trimmed: OutboxPlace, last: Option<&str>) -> OutboxFacts {
        let facts = json!({
            "log": "one", "trimmed_xid": trimmed.xid.to_string(), "trimmed_n": trimmed.n, "began": 1_000,
            "trimmed_at": (trimmed > OutboxPlace::default()).then_some(2_000), "now": "90:100:90", "newest": "80",
            "last": last, "is_standby": false, "replayed": null,
        });
        serde_json::from_value(facts).unwrap()
    }

    fn row(place: OutboxPlace, event: &str) -> OutboxRow {
        OutboxRow {
            place,
            event: event.to_owned(),
        }
    }

    fn since(millis: u64) -> Start {
        Start::since(Timestamp::from_unix_millis(millis))
    }

    fn none() -> OutboxPlace {
        OutboxPlace::default()
    }

    #[test]
    fn a_first_start_is_whole_if_the_table_reaches_back_that_far() {
        for (trimmed, time, is_whole) in [
            (none(), 999, false),
            (none(), 1_000, true),
            (place(3, 1), 1_999, false),
            (place(3, 1), 2_000, true),
        ] {
            let (progress, continuity) = OutboxProgress::first(&since(time), &facts(trimmed, None));
            assert_eq!(continuity == Continuity::Complete, is_whole, "{trimmed:?} {time}");
            assert_eq!(progress.after, trimmed);
            assert_eq!(progress.check(&facts(trimmed, None)), Ok(()));
        }
    }

    #[test]
    fn reading_goes_on_only_in_the_same_table_behind_what_was_trimmed() {
        let (mut progress, _) = OutboxProgress::first(&since(1_000), &facts(none(), None));
        let landmark = progress.pass(&row(place(5, 2), "five"));
        let resumed = |after, lies_there: Option<&str>, facts: OutboxFacts| {
            let there = [(place(5, 2), landmark, lies_there.map(str::to_owned))];
            OutboxProgress::resumed(after, &there, &since(1_000), &facts)
        };
        let read = place(5, 2);
        for (after, lies_there, facts) in [
            (read, Some("five"), facts(none(), Some("five"))),
            (read, Some("five"), facts(place(4, 9), Some("five"))),
            (read, None, facts(place(5, 2), None)),
            // Something before it is not settled yet.
            (place(5, 1), Some("five"), facts(place(5, 1), None)),
        ] {
            let (progress, continuity) = resumed(after, lies_there, facts);
            assert_eq!((progress.after, continuity), (after, Continuity::Complete));
        }
        let other = {
            let mut other = facts(none(), Some("five"));
            other.log = "two".to_owned();
            other
        };
        let younger = {
            let mut younger = facts(none(), None);
            younger.now = "5:5:".to_owned();
            younger
        };
        for (after, lies_there, facts) in [
            (read, Some("five"), facts(place(5, 3), Some("five"))),
            (read, None, facts(none(), None)),
            (read, Some("another"), facts(none(), Some("another"))),
            (place(5, 1), Some("five"), facts(place(5, 2), None)),
            (read, Some("five"), other),
            (read, Some("five"), younger),
        ] {
            let trimmed = facts.trimmed();
            let (progress, continuity) = resumed(after, lies_there, facts);
            assert!(matches!(continuity, Continuity::Gap(_)));
            assert_eq!(progress.after, trimmed, "all that is there is read");
        }
    }

    #[test]
    fn what_happens_to_the_table_while_it_is_read_is_noticed() {
        let (mut progress, _) = OutboxProgress::first(&since(1_000), &facts(none(), None));
        progress.pass(&row(place(5, 2), "five"));
        assert_eq!(progress.check(&facts(none(), Some("five"))), Ok(()));
        assert_eq!(progress.check(&facts(place(5, 2), None)), Ok(()));
        assert_eq!(progress.check(&facts(place(6, 1), None)), Err(TRIMMED));
        assert_eq!(progress.check(&facts(none(), None)), Err(SET_BACK));
        assert_eq!(progress.check(&facts(none(), Some("other"))), Err(OTHER));
    }

    #[test]
    fn rows_of_transactions_that_are_still_to_come_are_another_servers() {
        let mut facts = facts(none(), None);
        assert!(!facts.is_foreign());
        facts.now = "70:80:".to_owned();
        assert!(facts.is_foreign());
    }
}
