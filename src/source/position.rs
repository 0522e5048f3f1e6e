//! Where in a feed a message lies, and from where a feed is opened.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::timestamp::Timestamp;
use crate::source::landmark::Landmark;

/// Where in its feed a message lies, for feeds that can be read again.
///
/// Offsets grow within a partition in the order of the feed. A feed has one partition, number 0, unless it is divided, as
/// Kafka's topics are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Which part of the feed.
    pub partition: u32,
    /// Where in it.
    pub offset: u128,
}

impl Position {
    /// Returns a position in a feed that is not divided.
    #[must_use]
    pub const fn at(offset: u128) -> Self {
        Self { partition: 0, offset }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.partition {
            0 => write!(f, "{}", self.offset),
            partition => write!(f, "{partition}/{}", self.offset),
        }
    }
}

/// From where a feed is to be opened: after what was read and settled, otherwise since a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    since: Timestamp,
    after: BTreeMap<u32, u128>,
    landmarks: Vec<(Position, Landmark)>,
}

impl Start {
    /// Returns a start from a time on.
    #[must_use]
    pub const fn since(since: Timestamp) -> Self {
        Self {
            since,
            after: BTreeMap::new(),
            landmarks: Vec::new(),
        }
    }

    /// Goes on after these positions, one for each partition.
    #[must_use]
    pub fn and_after(mut self, positions: impl IntoIterator<Item = Position>) -> Self {
        let after = positions
            .into_iter()
            .map(|position| (position.partition, position.offset));
        self.after.extend(after);
        self
    }

    /// Adds what lay where when it was read.
    #[must_use]
    pub fn and_landmarks(mut self, landmarks: impl IntoIterator<Item = (Position, Landmark)>) -> Self {
        self.landmarks.extend(landmarks);
        self
    }

    /// Returns the time from which on everything is wanted, in partitions of which nothing was read yet.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.since
    }

    /// Returns the offset in the partition after which everything is wanted; `None` if nothing of the partition was read yet.
    #[must_use]
    pub fn after(&self, partition: u32) -> Option<u128> {
        self.after.get(&partition).copied()
    }

    /// Returns what lay where in the partition, by offsets that grow: at the place after which reading goes on, or next to it,
    /// and at the newest message that was read. None if the source gives [none](super::Delivery::landmark).
    ///
    /// A log that has something else at one of these offsets, or ends before, is another log: then the answer is
    /// [`Continuity::Gap`](super::Continuity::Gap). One that was trimmed may have come past them.
    pub fn landmarks(&self, partition: u32) -> impl DoubleEndedIterator<Item = (u128, Landmark)> {
        let of_partition = self.landmarks.iter().filter(move |(at, _)| at.partition == partition);
        of_partition.map(|(at, landmark)| (at.offset, *landmark))
    }

    /// Returns whether nothing of the feed was read yet.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.after.is_empty()
    }
}
