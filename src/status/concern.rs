//! What is not as it should be.

use std::fmt;

use serde::Serialize;

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Concern {
    /// Which, for programs.
    pub code: ConcernCode,
    /// A sentence or two for people: what is the matter, since when, why as far as it is known, and what comes of it. No ids.
    pub words: String,
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// What may not be as it should be, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ConcernCode {
    /// What earlier processes were told is lost, and no signed list has made up for it yet.
    JournalLost,
    /// No list was ever installed.
    NoList,
    /// The list is older than the policy's `max_age`.
    ListStale,
    /// There are no signing keys to verify lists and tokens with.
    NoSigningKeys,
    /// The event feed is disconnected, or nobody reads it any more.
    FeedDown,
    /// No canary came through in time.
    CanaryOverdue,
    /// Messages may have been missed, and no list was fetched since.
    FeedGap,
    /// Events cannot be made durable.
    JournalNotDurable,
    /// Events hold 90 % or more of the keys that they may.
    OverlayFull,
    /// Polls fail. The list is young enough still.
    ListAging,
    /// The signing keys could not be fetched anew.
    SigningKeysAging,
    /// The event feed is being connected.
    FeedConnecting,
    /// Older events are still coming in.
    FeedCatchingUp,
}

impl ConcernCode {
    /// Its name in JSON: `list-stale`, ….
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JournalLost => "journal-lost",
            Self::NoList => "no-list",
            Self::ListStale => "list-stale",
            Self::NoSigningKeys => "no-signing-keys",
            Self::FeedDown => "feed-down",
            Self::CanaryOverdue => "canary-overdue",
            Self::FeedGap => "feed-gap",
            Self::JournalNotDurable => "journal-not-durable",
            Self::OverlayFull => "overlay-full",
            Self::ListAging => "list-aging",
            Self::SigningKeysAging => "signing-keys-aging",
            Self::FeedConnecting => "feed-connecting",
            Self::FeedCatchingUp => "feed-catching-up",
        }
    }
}
