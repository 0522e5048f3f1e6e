//! Concerns: what is wrong.

use std::fmt;

use serde::Serialize;

/// Describes one thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Concern {
    /// Which concern it is, for programs.
    pub code: ConcernCode,
    /// A sentence or two for people: what is wrong, since when, why as far as it is known, and the consequence. No ids.
    pub words: String,
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// Names what may be wrong, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ConcernCode {
    /// The state of earlier processes is lost, and no signed list was fetched since: a list is needed.
    JournalLost,
    /// No list was ever installed.
    NoList,
    /// There is no list, and the feed has not been read up to its end since the start.
    FeedUnread,
    /// The list is older than the policy's `max_age`.
    ListStale,
    /// There are no signing keys to verify lists and tokens with.
    NoSigningKeys,
    /// The event feed is disconnected, or nobody reads it any more.
    FeedDown,
    /// The issuer missed three of its heartbeats: what it revokes does not come.
    IssuerSilent,
    /// No canary came through in time.
    CanaryOverdue,
    /// Messages may have been skipped, and no list was fetched since.
    FeedGap,
    /// Many requests came, and none ever presented a credential: the layer may look in the wrong place, or stand in front of the
    /// authentication layer that it relies on. Counted for the whole trust domain, since its start: at least 1,000 requests, and a
    /// minute. The first credential ends it. Of two layers that share a domain, one that sees credentials hides one that sees none.
    OnlyAnonymous,
    /// Credentials were read that have no key at all, so that no revocation but one of everything reaches them: the claims that keys
    /// are made of are not in them. Counted for the whole trust domain. Ends 10 minutes after the last one.
    WithoutKeys,
    /// A logout ended a session alone, and none of the credentials that came since named its session, at least 1,000: such logouts reach
    /// nobody. Counted for the whole trust domain. The first credential that names its session ends it.
    WithoutSessions,
    /// An issuer told of something that is not in force here, or may be forgotten by a restart: it was refused although the issuer had
    /// signed it, its keys could not be fetched, or it could not be kept or passed on. Ends 10 minutes after the last one.
    DoorLost,
    /// Credentials say that they were issued in the future, beyond the leeway: any cut-off on their keys refuses them
    /// ([`FutureIssuedAt`](crate::FutureIssuedAt)). Counted for the whole trust domain. Ends 10 minutes after the last one.
    IssuedInTheFuture,
    /// Events cannot be made durable.
    JournalNotDurable,
    /// Events hold 90 % or more of the keys that they may.
    OverlayFull,
    /// Polls fail. The list is still young enough.
    ListAging,
    /// The signing keys could not be fetched again.
    SigningKeysAging,
    /// The event feed is being connected.
    FeedConnecting,
    /// Older events are still coming in.
    FeedCatchingUp,
}

impl ConcernCode {
    /// Returns its name in JSON: `list-stale`, ….
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JournalLost => "journal-lost",
            Self::NoList => "no-list",
            Self::FeedUnread => "feed-unread",
            Self::ListStale => "list-stale",
            Self::NoSigningKeys => "no-signing-keys",
            Self::FeedDown => "feed-down",
            Self::IssuerSilent => "issuer-silent",
            Self::CanaryOverdue => "canary-overdue",
            Self::FeedGap => "feed-gap",
            Self::OnlyAnonymous => "only-anonymous",
            Self::WithoutKeys => "without-keys",
            Self::WithoutSessions => "without-sessions",
            Self::DoorLost => "door-lost",
            Self::IssuedInTheFuture => "issued-in-the-future",
            Self::JournalNotDurable => "journal-not-durable",
            Self::OverlayFull => "overlay-full",
            Self::ListAging => "list-aging",
            Self::SigningKeysAging => "signing-keys-aging",
            Self::FeedConnecting => "feed-connecting",
            Self::FeedCatchingUp => "feed-catching-up",
        }
    }
}
