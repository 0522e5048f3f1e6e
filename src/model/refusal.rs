//! Why a request is refused.

use std::time::Duration;

use crate::model::verdict::{Revoked, Unknown};

/// Says why a request is refused, for the writer of the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The request presents no credential, and the layer demands one. The answer is a plain challenge, without an
    /// error code ([RFC 6750 §3.1](https://www.rfc-editor.org/rfc/rfc6750#section-3.1)).
    Missing,
    /// The credential is revoked.
    Revoked(Revoked),
    /// Nothing is known against the credential, but what is known is stale, and the policy is to fail closed.
    Unavailable {
        /// Why nothing is certain.
        why: Unknown,
        /// When to try again.
        retry_after: Duration,
    },
    /// A credential is presented, but its keys cannot be read: nobody can show that it is not revoked. Or it presents more keys than
    /// are looked at ([`Credential::MOST_KEYS`](crate::Credential::MOST_KEYS)), or says that it was issued in the future where the
    /// host refuses that ([`FutureIssuedAt::Refuse`](crate::FutureIssuedAt::Refuse)).
    Unreadable {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The credential was revoked while the request was being handled, and the response is withheld: **the request may have
    /// been applied**.
    ///
    /// Answer it by something that no client takes for a reason to send the request again: not by 401, which says that it was
    /// not applied ([RFC 9110 §15.5.2](https://www.rfc-editor.org/rfc/rfc9110#section-15.5.2)), and upon which clients with a
    /// refresh token repeat it.
    Withheld(Revoked),
}

impl Refusal {
    /// Returns the name for logs and counters: `missing`, `revoked`, `unavailable`, `unreadable` or `withheld`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Revoked(_) => "revoked",
            Self::Unavailable { .. } => "unavailable",
            Self::Unreadable { .. } => "unreadable",
            Self::Withheld(_) => "withheld",
        }
    }
}

/// When a client that gets [`Refusal::Unavailable`] should try again: after 10 seconds.
///
/// A third of the poller's fast pace: clients come back soon after the list does.
pub const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(10);
