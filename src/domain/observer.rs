//! Observations that are reported when they happen, and not counted: how long things took.

use std::time::Duration;

/// Receives how long things took. The path of a request reports nothing.
pub(crate) trait Observer: Send + Sync {
    /// An event was put in force here, this long after it took effect at its issuer.
    fn enforced(&self, after: Duration, phase: Phase);

    /// A poll ended.
    #[cfg_attr(not(feature = "crl-poll"), expect(dead_code, reason = "only the poller polls"))]
    fn polled(&self, outcome: Polled, took: Duration);
}

/// Whether an event came in as it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It came together with older events that could not be read before.
    CatchUp,
    Live,
}

/// The outcome of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "crl-poll"), expect(dead_code, reason = "only the poller polls"))]
pub(crate) enum Polled {
    Confirmed,
    /// The reason, as one of few words.
    Failed(&'static str),
    Installed,
    NoneYet,
}
