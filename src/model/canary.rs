//! The canary: a key that exists to be revoked.

use std::time::Duration;

use crate::model::event::Revocation;
use crate::model::key::Key;
use crate::model::timestamp::Timestamp;

/// Says what is expected of the issuer's canary: how often the issuer revokes it, and within which time it is refused
/// here.
///
/// A feed that is connected, and even the issuer's heartbeat, prove that messages arrive. They do not prove that
/// anything is enforced: a consumer that drops events in silence looks just as healthy. A canary is one key that nobody
/// holds. The issuer's side revokes it at intervals ([`revocation`], or the message of
/// [`format::canary`](crate::format::canary)), over the real path. Here the same decision that requests get says
/// whether it is refused. What a layer does with the decision ([`Enforcement::Observe`](crate::Enforcement::Observe))
/// does not matter.
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
/// // What the issuer's event says:
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
    /// Returns a canary that the issuer revokes once in this time, and that should be refused here within
    /// [`DEFAULT_WITHIN`] of that.
    ///
    /// Use a few seconds to a minute. Each revocation costs the broker a message, every gateway a microsecond, and a
    /// journal a write. The canary holds one key, however often it is revoked.
    #[must_use]
    pub const fn every(period: Duration) -> Self {
        Self {
            every: period,
            within: DEFAULT_WITHIN,
        }
    }

    /// Sets how long after its revocation it should be refused here. Defaults to [`DEFAULT_WITHIN`].
    ///
    /// Both clocks count: leave room for the time by which the issuer's clock may be behind.
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

    /// How old the last proof may become. Then the next one is overdue.
    pub(crate) const fn oldest_proof(&self) -> Duration {
        self.every.saturating_add(self.within)
    }
}

/// Returns the revocation of a canary, for decoders of the host's own formats: a cut-off, so that one key is enough for
/// ever.
///
/// # Security
///
/// Anybody who may publish events can make the path look alive, as with heartbeats. No credential presents this key.
#[must_use]
pub fn revocation(at: Timestamp) -> Revocation {
    Revocation::cut_off(key()).at(at)
}

/// The canary's key. It is made with secrets of the process, so it must not be made before a journal could bring them.
pub(crate) fn key() -> Key {
    Key::named("tower-revocation", "canary")
}

/// How long after its revocation a canary should be refused: 2 seconds.
pub const DEFAULT_WITHIN: Duration = Duration::from_secs(2);
