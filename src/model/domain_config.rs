//! The configuration of one trust domain.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::model::canary::Canary;
use crate::model::policy::{FutureIssuedAt, ListPolicy, StalePolicy};

/// Holds the configuration of one trust domain: what to do about stale lists, retention and capacity.
///
/// All layers and sinks of the domain share it. Give it to
/// [`RevocationLayer::pair_with`](crate::RevocationLayer::pair_with), or change it while the domain runs, by
/// [`EventSink::configure`](crate::EventSink::configure). What one layer does with the domain's decisions is an option
/// of the layer.
///
/// ```
/// use std::time::Duration;
/// use tower_revocation::{DomainConfig, RevocationLayer, StalePolicy, identify};
///
/// let config = DomainConfig::new()
///     .with_stale_policy(StalePolicy::FailOpen)
///     .with_max_age(Duration::from_secs(2 * 60 * 60));
/// let (layer, sink) = RevocationLayer::pair_with(config, identify::jwt(http::header::AUTHORIZATION, "Bearer"));
/// # drop((layer, sink));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DomainConfig {
    pub(crate) stale: StalePolicy,
    pub(crate) lists: ListPolicy,
    pub(crate) max_age: Duration,
    pub(crate) retention: Duration,
    pub(crate) leeway: Duration,
    pub(crate) future_issued_at: FutureIssuedAt,
    pub(crate) capacity: NonZeroUsize,
    pub(crate) canary: Option<Canary>,
}

impl DomainConfig {
    /// Returns the default configuration.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            stale: StalePolicy::FailClosed,
            lists: ListPolicy::Expected,
            max_age: DEFAULT_MAX_AGE,
            retention: DEFAULT_RETENTION,
            leeway: DEFAULT_LEEWAY,
            future_issued_at: FutureIssuedAt::Undated,
            capacity: DEFAULT_CAPACITY,
            canary: None,
        }
    }

    /// Sets what to do while the list is stale or missing. Defaults to [`StalePolicy::FailClosed`].
    #[must_use]
    pub const fn with_stale_policy(mut self, policy: StalePolicy) -> Self {
        self.stale = policy;
        self
    }

    /// Sets how long a list may be used after it was fetched or confirmed. Defaults to [`DEFAULT_MAX_AGE`].
    ///
    /// # Security
    ///
    /// If the event feed and the registry are both away, a revocation stays unknown for up to this long.
    #[must_use]
    pub const fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// Sets whether there is a list at all. Defaults to [`ListPolicy::Expected`].
    #[must_use]
    pub const fn with_lists(mut self, lists: ListPolicy) -> Self {
        self.lists = lists;
        self
    }

    /// Sets how long an event's effect is remembered. Defaults to [`DEFAULT_RETENTION`]; it must exceed the longest
    /// token lifetime.
    ///
    /// # Security
    ///
    /// A token that outlives the retention of its revocation passes again.
    #[must_use]
    pub const fn with_retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// Sets by how much another machine's clock may be ahead of this one's. Defaults to [`DEFAULT_LEEWAY`]. A list, a reinstatement and
    /// the issue time of a credential that lie further ahead are not believed.
    #[must_use]
    pub const fn with_leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Sets what to do with a credential that says it was issued in the future, beyond the leeway. Defaults to
    /// [`FutureIssuedAt::Undated`]: any cut-off on its keys refuses it.
    #[must_use]
    pub const fn with_future_issued_at(mut self, policy: FutureIssuedAt) -> Self {
        self.future_issued_at = policy;
        self
    }

    /// Sets how many keys events may hold, at some 140 bytes each. Defaults to [`DEFAULT_CAPACITY`]. Nothing is evicted
    /// at capacity: new events have to be retried.
    #[must_use]
    pub const fn with_capacity(mut self, keys: NonZeroUsize) -> Self {
        self.capacity = keys;
        self
    }

    /// Sets the canary: the proofs to expect that a revocation at the issuer is enforced here. Defaults to none.
    #[must_use]
    pub const fn with_canary(mut self, canary: Canary) -> Self {
        self.canary = Some(canary);
        self
    }
}

impl Default for DomainConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// How old the newest list may be before the stale policy decides: 1 hour.
///
/// Four times the poller's slow pace: a registry may be away for 45 minutes before anyone is refused.
pub const DEFAULT_MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// How long an event's effect is remembered: 90 days, the longest token lifetime we know of, and an hour of leeway.
///
/// # Security
///
/// A retention shorter than a token's lifetime lets a revoked token pass again before it expires.
pub const DEFAULT_RETENTION: Duration = Duration::from_secs(90 * 24 * 60 * 60 + 60 * 60);

/// By how much another machine's clock may be ahead: 1 minute.
pub const DEFAULT_LEEWAY: Duration = Duration::from_secs(60);

/// How many keys events may hold: 1 million.
pub const DEFAULT_CAPACITY: NonZeroUsize = NonZeroUsize::new(1_000_000).expect("not zero");

// The longest token lifetime known, 90 days, and the difference that clocks may have.
const _: () = assert!(DEFAULT_RETENTION.as_secs() >= 90 * 24 * 60 * 60 + DEFAULT_LEEWAY.as_secs());
