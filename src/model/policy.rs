//! What a trust domain's operator decides: staleness, retention, capacity.

use std::num::NonZeroUsize;
use std::time::Duration;

/// What to do with a credential that nothing is known against while the list is stale or missing.
///
/// Credentials known to be revoked are refused under either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StalePolicy {
    /// Refuse with 503 and `Retry-After`. The default.
    #[default]
    FailClosed,
    /// Admit, and say so: counted, and logged once per transition as a warning.
    ///
    /// # Security
    ///
    /// A revocation that was never seen does not refuse. Whoever can keep the list away (a hung
    /// registry is enough) keeps what it would have revoked alive.
    FailOpen,
}

/// Where a trust domain's revocations come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ListPolicy {
    /// A revocation list is installed and kept fresh; without one the stale policy answers. The default.
    #[default]
    Expected,
    /// There is no list: events alone decide, and nothing is ever stale.
    ///
    /// # Security
    ///
    /// A lost event is never made good, and after a start nothing is known. Use it only where the feed
    /// replays from its beginning.
    NotUsed,
}

/// One trust domain's policy, shared by all its layers and sinks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) stale: StalePolicy,
    pub(crate) lists: ListPolicy,
    pub(crate) max_age: Duration,
    pub(crate) retention: Duration,
    pub(crate) leeway: Duration,
    pub(crate) capacity: NonZeroUsize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            stale: StalePolicy::FailClosed,
            lists: ListPolicy::Expected,
            max_age: DEFAULT_MAX_AGE,
            retention: DEFAULT_RETENTION,
            leeway: DEFAULT_LEEWAY,
            capacity: DEFAULT_CAPACITY,
        }
    }
}

/// How old the newest list may be before the stale policy answers: 1 hour.
///
/// Four times the poller's slow pace, so that a registry may be away for 45 minutes before anyone is
/// refused.
pub const DEFAULT_MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// How long an event's effect is kept: 90 days, the longest token lifetime we know of, and an hour of
/// leeway.
///
/// # Security
///
/// A retention shorter than a token's lifetime lets a revoked token pass again before it expires.
pub const DEFAULT_RETENTION: Duration = Duration::from_secs(90 * 24 * 60 * 60 + 60 * 60);

/// By how much another machine's clock may be ahead: 1 minute.
pub const DEFAULT_LEEWAY: Duration = Duration::from_secs(60);

/// How many keys events may hold: 1 million.
pub const DEFAULT_CAPACITY: NonZeroUsize = NonZeroUsize::new(1_000_000).expect("not zero");

// The longest token lifetime known, 90 days, and what clocks may differ by.
const _: () = assert!(DEFAULT_RETENTION.as_secs() >= 90 * 24 * 60 * 60 + DEFAULT_LEEWAY.as_secs());
