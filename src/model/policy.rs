//! What the operator of a trust domain decides about lists.

/// Says what to do with a credential while the list is stale or missing, if nothing is known against the credential.
///
/// Credentials known to be revoked are refused in both cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StalePolicy {
    /// Refuse with 503 and `Retry-After`. The default.
    #[default]
    FailClosed,
    /// Admit, and report it: counted, and logged once per transition as a warning.
    ///
    /// # Security
    ///
    /// A revocation that was never seen does not refuse. Anybody who can keep the list away (a hung registry is enough)
    /// keeps alive what it would have revoked.
    FailOpen,
}

/// Says where a trust domain's revocations come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ListPolicy {
    /// A revocation list is installed and stays fresh; without one the stale policy decides. The default.
    #[default]
    Expected,
    /// There is no list: events alone decide, and nothing is ever stale.
    ///
    /// # Security
    ///
    /// Without a list nothing replaces an event that was not delivered, and after a start nothing is known. Use it only
    /// if the feed replays from its beginning.
    NotUsed,
}
