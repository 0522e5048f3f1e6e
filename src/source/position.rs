//! Where in a feed a message lies, and from where a feed is opened.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::timestamp::Timestamp;

/// Where in its feed a message lies, for feeds that can be read again.
///
/// Offsets grow within a lane in the order of the feed. A feed has one lane, number 0, unless it is divided (Kafka's
/// partitions).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Which part of the feed.
    pub lane: u32,
    /// Where in it.
    pub offset: u128,
}

impl Position {
    /// A position in a feed that is not divided.
    #[must_use]
    pub const fn at(offset: u128) -> Self {
        Self { lane: 0, offset }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lane {
            0 => write!(f, "{}", self.offset),
            lane => write!(f, "{lane}/{}", self.offset),
        }
    }
}

/// From where a feed is to be opened: after what was read and settled, otherwise since a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    since: Timestamp,
    after: BTreeMap<u32, u128>,
}

impl Start {
    /// From a time on.
    #[must_use]
    pub const fn since(since: Timestamp) -> Self {
        Self {
            since,
            after: BTreeMap::new(),
        }
    }

    /// After these positions, one for each lane.
    #[must_use]
    pub fn and_after(mut self, positions: impl IntoIterator<Item = Position>) -> Self {
        let after = positions.into_iter().map(|position| (position.lane, position.offset));
        self.after.extend(after);
        self
    }

    /// Everything published at or after this time is wanted, in lanes of which nothing was read yet.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.since
    }

    /// Everything after this offset of the lane is wanted; `None` if nothing of the lane was read yet.
    #[must_use]
    pub fn after(&self, lane: u32) -> Option<u128> {
        self.after.get(&lane).copied()
    }

    /// Whether nothing of the feed was read yet.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.after.is_empty()
    }
}
