//! Whether what was there at the opening came in.

use std::collections::BTreeMap;

use crate::source::position::Position;

/// Tells, once, when all messages came in that were there at the opening.
#[derive(Debug, Default)]
pub(crate) struct CaughtUp {
    /// The last messages that were there and did not come in yet, by their partitions.
    expected: BTreeMap<u32, u128>,
    is_said: bool,
}

impl CaughtUp {
    /// Begins with the last message of each partition that has any to be read.
    pub(crate) fn after(last: impl IntoIterator<Item = Position>) -> Self {
        Self {
            expected: last.into_iter().map(|last| (last.partition, last.offset)).collect(),
            is_said: false,
        }
    }

    /// Notes that everything up to here came in.
    pub(crate) fn came_to(&mut self, position: Position) {
        let is_reached = |last: &u128| *last <= position.offset;
        if !self.expected.is_empty() && self.expected.get(&position.partition).is_some_and(is_reached) {
            self.expected.remove(&position.partition);
        }
    }

    /// Notes that a partition has nothing more to give now. Whatever else was there is there no more, or is no message.
    #[cfg(any(feature = "kafka", feature = "nats", feature = "redis"))]
    pub(crate) fn is_at_end(&mut self, partition: u32) {
        self.expected.remove(&partition);
    }

    /// Returns whether all came in, and this was not said before.
    pub(crate) fn is_news(&mut self) -> bool {
        self.expected.is_empty() && !std::mem::replace(&mut self.is_said, true)
    }

    /// Returns how many offsets lie between a message and the last one that was there, if that is still to come.
    #[cfg(feature = "amqp")]
    pub(crate) fn lag(&self, position: Position) -> Option<u64> {
        let last = self.expected.get(&position.partition)?;
        u64::try_from(last.saturating_sub(position.offset)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: u32, offset: u128) -> Position {
        Position { partition, offset }
    }

    #[test]
    fn is_said_once_after_the_last_of_each_partition() {
        let mut caught_up = CaughtUp::after([at(0, 5), at(1, 8)]);
        for early in [at(0, 4), at(1, 8), at(2, 100)] {
            caught_up.came_to(early);
            assert!(!caught_up.is_news());
        }
        // The last one itself may be gone: then one that came later will do.
        caught_up.came_to(at(0, 7));
        assert!(caught_up.is_news());
        assert!(!caught_up.is_news());
    }

    #[test]
    fn where_nothing_was_there_it_is_said_at_once() {
        assert!(CaughtUp::default().is_news());
    }

    #[cfg(any(feature = "kafka", feature = "nats", feature = "redis"))]
    #[test]
    fn the_end_is_the_end_whatever_was_there() {
        let mut caught_up = CaughtUp::after([at(3, 5)]);
        caught_up.is_at_end(3);
        assert!(caught_up.is_news());
    }
}
