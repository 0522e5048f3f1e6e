//! What a trust domain's operator decides about lists.

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
