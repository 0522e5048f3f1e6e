//! The low watermark: up to where everything is settled.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::position::Position;

/// Up to where all messages of a feed are settled, lane by lane: after a cut, reading goes on from there. What lies beyond
/// and was settled already is read again, which does no harm.
#[derive(Debug, Default)]
pub(super) struct Watermark {
    lanes: BTreeMap<u32, Lane>,
}

#[derive(Debug, Default)]
struct Lane {
    highest: u128,
    unsettled: BTreeSet<u128>,
}

impl Watermark {
    pub(super) fn delivered(&mut self, position: Position) {
        let lane = self.lanes.entry(position.lane).or_default();
        lane.highest = lane.highest.max(position.offset);
        lane.unsettled.insert(position.offset);
    }

    pub(super) fn settled(&mut self, position: Position) {
        if let Some(lane) = self.lanes.get_mut(&position.lane) {
            lane.unsettled.remove(&position.offset);
        }
    }

    /// Whether nothing is unsettled.
    pub(super) fn is_settled(&self) -> bool {
        self.lanes.values().all(|lane| lane.unsettled.is_empty())
    }

    /// The last position of each lane before which nothing is unsettled. None for a lane whose first message is.
    pub(super) fn resume_after(&self) -> impl Iterator<Item = Position> {
        self.lanes.iter().filter_map(|(&lane, state)| {
            let offset = match state.unsettled.first() {
                None => state.highest,
                // Whether or not a message has that number: the next one that has one is the unsettled.
                Some(first) => first.checked_sub(1)?,
            };
            Some(Position { lane, offset })
        })
    }

    /// Everything unsettled is going to be delivered again.
    pub(super) fn reopened(&mut self) {
        let resume: Vec<_> = self.resume_after().collect();
        self.lanes.clear();
        for position in resume {
            self.lanes.entry(position.lane).or_default().highest = position.offset;
        }
    }

    /// The feed is another one: its old positions mean nothing.
    pub(super) fn forget(&mut self) {
        self.lanes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resume(watermark: &Watermark) -> Vec<u128> {
        watermark.resume_after().map(|position| position.offset).collect()
    }

    #[test]
    fn stays_below_the_first_message_that_is_not_settled() {
        let mut watermark = Watermark::default();
        assert_eq!(resume(&watermark), []);
        for offset in [5, 6, 9] {
            watermark.delivered(Position::at(offset));
        }
        watermark.settled(Position::at(9));
        watermark.settled(Position::at(6));
        assert_eq!(resume(&watermark), [4]);
        watermark.settled(Position::at(5));
        assert_eq!(resume(&watermark), [9]);
    }

    #[test]
    fn keeps_its_place_over_a_reopening_and_counts_what_is_redelivered() {
        let mut watermark = Watermark::default();
        for offset in [5, 6, 7] {
            watermark.delivered(Position::at(offset));
        }
        watermark.settled(Position::at(5));
        watermark.settled(Position::at(7));
        watermark.reopened();
        assert_eq!(resume(&watermark), [5]);
        watermark.delivered(Position::at(6));
        assert_eq!(resume(&watermark), [5]);
        watermark.settled(Position::at(6));
        assert_eq!(resume(&watermark), [6]);
    }

    #[test]
    fn the_very_first_message_leaves_nothing_to_resume_after() {
        let mut watermark = Watermark::default();
        watermark.delivered(Position::at(0));
        assert_eq!(resume(&watermark), []);
        watermark.reopened();
        assert_eq!(resume(&watermark), []);
        watermark.delivered(Position::at(0));
        watermark.settled(Position::at(0));
        assert_eq!(resume(&watermark), [0]);
    }

    #[test]
    fn lanes_are_apart_and_another_feed_starts_from_nothing() {
        let mut watermark = Watermark::default();
        watermark.delivered(Position { lane: 1, offset: 3 });
        watermark.delivered(Position { lane: 2, offset: 8 });
        watermark.settled(Position { lane: 2, offset: 8 });
        assert_eq!(resume(&watermark), [2, 8]);
        watermark.forget();
        assert_eq!(resume(&watermark), []);
    }
}
