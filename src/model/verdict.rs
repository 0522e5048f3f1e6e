//! What is known about a credential, and how fresh the answer is.

use std::time::Duration;

use crate::model::event::{Effect, Reason};
use crate::model::key::KeyKind;
use crate::model::timestamp::Timestamp;

/// Says what the state knows about a credential. A policy decides what [`Unknown`](Self::Unknown) means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Nothing is known against it, and what is known is fresh.
    Admit,
    /// It is revoked.
    Revoked(Revoked),
    /// Nothing is known against it, but what is known is not fresh.
    Unknown(Unknown),
}

/// Says why a credential is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revoked {
    /// The kind of the revoked key.
    pub kind: KeyKind,
    /// Whether the key is blocked or the credential lies before a cut-off.
    pub effect: Effect,
    /// Where the revocation comes from.
    pub source: RevokedBy,
    /// Why, as far as the issuer said.
    pub reason: Reason,
}

/// Says where a revocation comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RevokedBy {
    /// An event.
    Event,
    /// The host ends its streams ([`EventSink::end_streams`](crate::EventSink::end_streams)): nothing is revoked.
    Host,
    /// The revocation list.
    List,
}

impl RevokedBy {
    /// Returns the name for logs: `event`, `host` or `list`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Host => "host",
            Self::List => "list",
        }
    }
}

/// Says why nothing is certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unknown {
    /// There is no list, and the feed has not been read up to its end yet.
    FeedUnread,
    /// No revocation list was ever installed.
    NoSnapshot,
    /// The newest revocation list is older than the policy's `max_age`.
    Stale {
        /// Its age.
        age: Duration,
    },
}

/// Says how fresh the answer about a request was. The layer puts it into the request's extensions if it is asked to
/// (`RevocationLayer::with_status_extension`).
///
/// If several layers do so (two issuers need two layers), the request's handler finds that of the domain that the request presents a
/// credential to, whichever layer is the outer one. If several domains know a credential of the request, it finds the least fresh
/// of their answers: no list comes before a stale one, and that before a fresh one; of two alike, the older list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListFreshness {
    /// Whether the answer is reliable.
    pub freshness: Freshness,
    /// How long ago the newest list was fetched or confirmed; `None` without one.
    pub snapshot_age: Option<Duration>,
    /// When the newest list was issued (`iat`); `None` without one, or if it does not say.
    pub snapshot_issued_at: Option<Timestamp>,
    /// Whether it is about a credential, and not about a request without one.
    pub(crate) is_of_credential: bool,
}

/// Says whether an answer is reliable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Freshness {
    /// There is no list, and the feed has not been read up to its end yet.
    FeedUnread,
    /// The list is younger than `max_age`, or the policy expects none.
    Fresh,
    /// No list was ever installed.
    NoSnapshot,
    /// The list is older than `max_age`.
    Stale,
}

impl ListFreshness {
    /// Whether this is what a handler should find, and not `other`, which another layer has put there.
    pub(crate) fn goes_before(&self, other: &Self) -> bool {
        let rank = |list: &Self| {
            let unreliable = match list.freshness {
                Freshness::Fresh => 0,
                Freshness::Stale => 1,
                Freshness::FeedUnread | Freshness::NoSnapshot => 2,
            };
            (list.is_of_credential, unreliable, list.snapshot_age)
        };
        rank(self) > rank(other)
    }

    pub(crate) fn unknown(&self) -> Option<Unknown> {
        match self.freshness {
            Freshness::FeedUnread => Some(Unknown::FeedUnread),
            Freshness::Fresh => None,
            Freshness::NoSnapshot => Some(Unknown::NoSnapshot),
            Freshness::Stale => Some(Unknown::Stale {
                age: self.snapshot_age.unwrap_or_default(),
            }),
        }
    }
}
