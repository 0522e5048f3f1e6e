//! The contract of a source, rule by rule.

use std::error::Error;
use std::fmt;

use crate::source::testing::harness::Capability;

/// What a source has to keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// Each message is given once, in the order in which they were published.
    OnceAndInOrder,
    /// A call of `next` that is dropped loses no message.
    DroppedCallsLoseNothing,
    /// Opened after a position, it gives everything that comes after it, and nothing else.
    AfterAPosition,
    /// Opened since a time, it gives everything that was published since.
    SinceATime,
    /// After a cut, what was published meanwhile comes, and what was settled does not come again.
    GoesOnAfterACut,
    /// After a cut, what was not settled comes again.
    UnsettledComesAgain,
    /// It says that it is caught up once everything came in that was there when it was opened, and not before.
    CaughtUpAtTheEnd,
    /// It goes on saying that it is caught up, for as long as it is, also while messages come.
    StaysCaughtUp,
    /// It says that there is a gap if the log was trimmed past the place where it would go on.
    TrimmedIsAGap,
    /// It says that there is a gap if the log is another one of the same name when it is opened anew.
    AnotherLogIsAGap,
    /// It says that there is a gap if the log is lost while it is read.
    LostLogIsAGap,
    /// A message that cannot be applied is stored as a dead letter, and one that found no room is applied in the end; either is
    /// settled then, and holds up no other.
    EveryMessageEnds,
    /// An idle broker gives signs of life, and one that is frozen gives none.
    SilenceIsNoticed,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::OnceAndInOrder,
        Self::DroppedCallsLoseNothing,
        Self::AfterAPosition,
        Self::SinceATime,
        Self::GoesOnAfterACut,
        Self::UnsettledComesAgain,
        Self::CaughtUpAtTheEnd,
        Self::StaysCaughtUp,
        Self::TrimmedIsAGap,
        Self::AnotherLogIsAGap,
        Self::LostLogIsAGap,
        Self::EveryMessageEnds,
        Self::SilenceIsNoticed,
    ];

    /// Returns what a broker has to be able to do for the rule to be shown.
    #[must_use]
    pub const fn takes(self) -> &'static [Capability] {
        match self {
            Self::OnceAndInOrder | Self::DroppedCallsLoseNothing | Self::StaysCaughtUp | Self::EveryMessageEnds => &[],
            Self::AfterAPosition | Self::SinceATime => &[Capability::ReadAgain],
            Self::GoesOnAfterACut | Self::UnsettledComesAgain => &[Capability::Cut],
            // Where messages are kept, it is shown at the first opening, and otherwise after a cut.
            Self::CaughtUpAtTheEnd => &[],
            Self::TrimmedIsAGap => &[Capability::ReadAgain, Capability::Cut, Capability::Trim],
            Self::AnotherLogIsAGap => &[Capability::ReadAgain, Capability::Cut, Capability::Wipe],
            Self::LostLogIsAGap => &[Capability::Wipe],
            Self::SilenceIsNoticed => &[Capability::Freeze],
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OnceAndInOrder => "each message is given once, in the order in which they were published",
            Self::DroppedCallsLoseNothing => "a call of `next` that is dropped loses no message",
            Self::AfterAPosition => "opened after a position, everything that comes after it is given, and nothing else",
            Self::SinceATime => "opened since a time, everything is given that was published since",
            Self::GoesOnAfterACut => {
                "after a cut, what was published meanwhile comes, and what was settled does not come again"
            }
            Self::UnsettledComesAgain => "after a cut, what was not settled comes again",
            Self::CaughtUpAtTheEnd => {
                "caught up is said once everything came in that was there at the opening, and not before"
            }
            Self::StaysCaughtUp => "caught up is said again and again for as long as it is true, also while messages come",
            Self::TrimmedIsAGap => "a log that was trimmed past the place where reading goes on has a gap",
            Self::AnotherLogIsAGap => "another log of the same name has a gap when it is opened in the place of the first",
            Self::LostLogIsAGap => "a log that is lost while it is read has a gap",
            Self::EveryMessageEnds => {
                "a message ends in one way: applied, or stored as a dead letter; then it is settled, and it holds up no other"
            }
            Self::SilenceIsNoticed => "an idle broker gives signs of life, and one that is frozen gives none",
        })
    }
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The rule holds.
    Holds,
    /// The broker [lacks](super::Harness::LACKS) what it takes to show it.
    CannotBeShown(Capability),
}

/// A rule that a source breaks, and what was seen of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleBroken {
    /// Which one.
    pub rule: Rule,
    /// What was seen.
    pub seen: String,
}

impl fmt::Display for RuleBroken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the source breaks the rule that {}: {}", self.rule, self.seen)
    }
}

impl Error for RuleBroken {}
