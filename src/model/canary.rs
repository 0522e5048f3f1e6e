//! The canary: a key that exists to be revoked.

use std::time::Duration;

use crate::model::event::Revocation;
use crate::model::key::Key;
use crate::model::timestamp::Timestamp;

/// What is expected of the issuer's canary: that the issuer revokes it so often, and that it is refused here within a bound.
///
/// A feed that is connected, and even the issuer's heartbeat, prove that messages arrive. They do not prove that anything is
/// enforced: a consumer that drops events in silence looks just as healthy. A canary is one key that nobody holds. The issuer's
/// side revokes it every so often ([`revocation`], or the message of [`format::canary`](crate::format::canary)), over the real
/// path; and here the very decision that requests get is asked whether it is refused. What a layer makes of the decision
/// ([`Enforcement::Observe`](crate::Enforcement::Observe)) is not asked.
///
/// The age of the last proof is in [`Status::canary`](crate::Status); [`probe::Readyz`](crate::probe::Readyz) can make readiness
/// depend on it.
///
/// ```
/// use std::time::Duration;
/// use tower_revocation::{Canary, RevocationLayer, Timestamp, canary, identify};
///
/// let (layer, sink) = RevocationLayer::pair(identify::jwt(http::header::AUTHORIZATION, "Bearer"));
/// sink.configure(|config| config.with_canary(Canary::every(Duration::from_secs(15)).within(Duration::from_secs(2))));
/// assert!(sink.status().canary.unwrap().is_overdue);
///
/// // What the issuer's event comes to:
/// sink.apply(canary::revocation(Timestamp::now()))?.wait()?;
/// assert!(!sink.status().canary.unwrap().is_overdue);
/// # drop(layer);
/// # Ok::<(), tower_revocation::ApplyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canary {
    every: Duration,
    within: Duration,
}

impl Canary {
    /// One that the issuer revokes once in this time; to be refused here within [`DEFAULT_WITHIN`] of that.
    ///
    /// Use a few seconds to a minute. Each costs the broker a message, every gateway a microsecond, and a journal a write; the
    /// canary holds one key, however often it is revoked.
    #[must_use]
    pub const fn every(period: Duration) -> Self {
        Self {
            every: period,
            within: DEFAULT_WITHIN,
        }
    }

    /// How long after its revocation it is to be refused here. Defaults to [`DEFAULT_WITHIN`].
    ///
    /// Both clocks count: leave room for how far the issuer's may be behind.
    #[must_use]
    pub const fn within(mut self, bound: Duration) -> Self {
        self.within = bound;
        self
    }

    pub(crate) const fn period(&self) -> Duration {
        self.every
    }

    pub(crate) const fn bound(&self) -> Duration {
        self.within
    }

    /// How old the last proof may become: by then the next is overdue.
    pub(crate) const fn oldest_proof(&self) -> Duration {
        self.every.saturating_add(self.within)
    }
}

/// What the revocation of a canary comes to, for decoders of formats of the host's own: a cut-off, so that one key serves for ever.
///
/// # Security
///
/// Whoever may publish events can make the path look alive, as with heartbeats. No credential presents this key.
#[must_use]
pub fn revocation(at: Timestamp) -> Revocation {
    Revocation::cut_off(key()).at(at)
}

/// The key. Secrets of the process go into it, so that it is not made before a journal could bring them.
pub(crate) fn key() -> Key {
    Key::named("tower-revocation", "canary")
}

/// How long after its revocation a canary is to be refused: 2 seconds.
pub const DEFAULT_WITHIN: Duration = Duration::from_secs(2);
