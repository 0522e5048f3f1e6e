//! What is told of as it happens, and not counted: how long things took.

use std::time::Duration;

/// Whoever is told. Nothing on the way of a request tells anything.
pub(crate) trait Observer: Send + Sync {
    /// An event was put in force here so long after it took effect at its issuer.
    fn enforced(&self, after: Duration, phase: Phase);

    /// A poll ended.
    #[cfg_attr(not(feature = "crl-poll"), expect(dead_code, reason = "only the poller polls"))]
    fn polled(&self, outcome: Polled, took: Duration);
}

/// Whether an event came in as it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// With older ones, that could not be read before.
    CatchUp,
    Live,
}

/// What a poll came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "crl-poll"), expect(dead_code, reason = "only the poller polls"))]
pub(crate) enum Polled {
    Confirmed,
    /// Why, in a word that may be counted by.
    Failed(&'static str),
    Installed,
    NoneYet,
}
