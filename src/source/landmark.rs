//! By what a log is recognized.

use std::hash::{DefaultHasher, Hash, Hasher};

/// What lies at one place of a log, as far as that tells this log from another one of the same name.
///
/// A log that was deleted and made anew, or that lost its end, may have grown past the place at which a replica goes on
/// reading. Its offsets then look right, and its messages are others. So an adapter gives a landmark with each
/// [delivery](super::Delivery::landmark), the loop keeps those at the place where it would go on and of the newest message, and
/// an opening [gets them back](super::Start::landmarks) to compare them with what lies there now. Source and loop live in one
/// process: a landmark is never stored.
///
/// A log that has an identity of its own (a topic's id, a row in a table) puts it into each landmark beside a digest of the
/// message, in as many of the [numbers](Self::new) as it takes: then both have to be the same.
///
/// ```
/// use tower_revocation::Timestamp;
/// use tower_revocation::source::{Continuity, Landmark, Position, Start};
///
/// // What an adapter does when it is opened, over whatever its client says of the log.
/// fn continuity(log: &[&str], start: &Start) -> Continuity {
///     for (offset, landmark) in start.landmarks(0) {
///         let lies_there = log.get(offset as usize);
///         if lies_there.is_none_or(|message| Landmark::of(message) != landmark) {
///             return Continuity::Gap("the log is another one".to_owned());
///         }
///     }
///     Continuity::Complete
/// }
///
/// // What the loop does: it keeps the landmark of the last message that was settled.
/// let settled = Position::at(1);
/// let start = Start::since(Timestamp::default())
///     .and_after([settled])
///     .and_landmarks([(settled, Landmark::of("+bob"))]);
///
/// assert_eq!(continuity(&["+alice", "+bob", "+carol"], &start), Continuity::Complete);
/// assert_ne!(continuity(&["+dave", "+erin", "+frank"], &start), Continuity::Complete);
/// assert_ne!(continuity(&["+alice"], &start), Continuity::Complete);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Landmark([u64; 4]);

impl Landmark {
    /// Returns a landmark of numbers that mean something to the adapter alone: when a log was created, a message published,
    /// how many came before it.
    #[must_use]
    pub const fn new(numbers: [u64; 4]) -> Self {
        Self(numbers)
    }

    /// Returns a landmark that tells this message from others.
    ///
    /// # Security
    ///
    /// Messages that are alike in all that is hashed have the same one. Take in what differs: an id, a time.
    #[must_use]
    pub fn of(message: impl Hash) -> Self {
        Self([hash(message), 0, 0, 0])
    }

    /// Returns the numbers that it was made of.
    #[must_use]
    pub const fn numbers(&self) -> [u64; 4] {
        self.0
    }
}

/// The same for the same value within one process.
pub(super) fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
