//! Whether everything came in that lies before the log's end.

use std::collections::BTreeMap;

use crate::source::position::Position;

/// Tells each time that everything came in that lies before the end of the log, as whoever knows it said when last asked.
///
/// Ends, and places up to which everything came in, are those of the next message: 0 is that of an empty log.
#[derive(Debug, Default)]
pub(crate) struct CaughtUp {
    came: BTreeMap<u32, u128>,
    /// The ends of partitions that were not reached yet.
    expected: BTreeMap<u32, u128>,
    is_said: bool,
}

impl CaughtUp {
    /// Begins to read at these places.
    pub(crate) fn from(places: impl IntoIterator<Item = Position>) -> Self {
        Self {
            came: places
                .into_iter()
                .map(|place| (place.partition, place.offset))
                .collect(),
            ..Self::default()
        }
    }

    /// Notes where the partitions end, as of now. It replaces what was told before.
    pub(crate) fn ends(&mut self, ends: impl IntoIterator<Item = Position>) {
        let is_ahead = |end: &Position| self.came.get(&end.partition).copied().unwrap_or(0) < end.offset;
        self.expected = ends
            .into_iter()
            .filter(is_ahead)
            .map(|end| (end.partition, end.offset))
            .collect();
        self.is_said = false;
    }

    /// Notes that a message came in.
    pub(crate) fn came_in(&mut self, message: Position) {
        self.came_to(Position {
            offset: message.offset.saturating_add(1),
            ..message
        });
    }

    /// Notes that everything before a place came in, or is no message, or is there no more.
    pub(crate) fn came_to(&mut self, place: Position) {
        let came = self.came.entry(place.partition).or_default();
        *came = place.offset.max(*came);
        if self.expected.get(&place.partition).is_some_and(|end| *end <= *came) {
            self.expected.remove(&place.partition);
        }
    }

    /// Returns whether all ends are reached, and this was not said since they were told.
    pub(crate) fn is_news(&mut self) -> bool {
        self.expected.is_empty() && !std::mem::replace(&mut self.is_said, true)
    }

    /// Returns whether the end is reached that was last told.
    #[cfg(feature = "amqp")]
    pub(crate) fn is_reached(&self) -> bool {
        self.expected.is_empty()
    }

    /// Returns how many offsets lie between a message and the end as it was last told, if that was not reached.
    #[cfg(feature = "amqp")]
    pub(crate) fn lag(&self, message: Position) -> Option<u64> {
        let end = self.expected.get(&message.partition)?;
        u64::try_from(end.saturating_sub(message.offset.saturating_add(1))).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: u32, offset: u128) -> Position {
        Position { partition, offset }
    }

    fn with_ends(ends: &[Position]) -> CaughtUp {
        let mut caught_up = CaughtUp::from([at(0, 2)]);
        caught_up.ends(ends.iter().copied());
        caught_up
    }

    #[test]
    fn is_said_once_at_the_end_of_each_partition() {
        let mut caught_up = with_ends(&[at(0, 6), at(1, 9)]);
        for early in [at(0, 4), at(1, 8), at(2, 100)] {
            caught_up.came_in(early);
            assert!(!caught_up.is_news());
        }
        // The last one itself may be gone: then one that came later will do.
        caught_up.came_in(at(0, 7));
        assert!(caught_up.is_news());
        assert!(!caught_up.is_news());
    }

    #[test]
    fn where_nothing_is_to_be_read_it_is_said_at_once() {
        assert!(CaughtUp::default().is_news());
        assert!(with_ends(&[at(0, 2), at(1, 0)]).is_news());
        assert!(!with_ends(&[at(0, 3)]).is_news());
    }

    #[test]
    fn is_said_again_each_time_that_the_end_is_told_and_reached() {
        let mut caught_up = with_ends(&[at(0, 6)]);
        caught_up.came_in(at(0, 5));
        assert!(caught_up.is_news());
        caught_up.ends([at(0, 6)]);
        assert!(caught_up.is_news(), "it has not moved");
        caught_up.came_in(at(0, 6));
        assert!(!caught_up.is_news(), "nobody was asked");
        caught_up.ends([at(0, 9)]);
        caught_up.came_in(at(0, 7));
        assert!(!caught_up.is_news());
        // What lay behind was no message.
        caught_up.came_to(at(0, 9));
        assert!(caught_up.is_news());
        // Only what was told last counts.
        caught_up.ends([at(0, 20)]);
        caught_up.ends([at(0, 9)]);
        assert!(caught_up.is_news());
    }
}
