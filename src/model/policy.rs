//! What the operator of a trust domain decides about lists, and about dates that cannot be true.

/// Says what to do with a credential while the list is stale or missing, if nothing is known against the credential. Where there is
/// [no list](ListPolicy::NotUsed), the same until the feed has been read up to its end for the first time.
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
    /// There is no list: events alone decide.
    ///
    /// Once somebody reads a feed, by `source::drive` or by [saying](crate::EventSink::set_feed) that it is being connected, the
    /// [stale policy](StalePolicy) decides until its end was reached for the first time: by this process or, with a journal, by an
    /// earlier one within `max_age`. Nothing is stale after that. A host that applies events by itself, and never says a word of a
    /// feed, is believed to know everything from the start on.
    ///
    /// # Security
    ///
    /// Without a list nothing replaces an event that was not delivered, and after a start nothing is known. Use it only if the feed
    /// replays all that came within the [retention](crate::DomainConfig::with_retention). What is older is not asked for, even if
    /// an event of then states a later end.
    NotUsed,
}

/// Says what to do with a credential whose issue time lies ahead of this machine's clock by more than the
/// [leeway](crate::DomainConfig::with_leeway): its issuer writes milliseconds where seconds are asked for, or one of the clocks is
/// wrong.
///
/// In either case it is counted, logged as a warning, and a concern in the status
/// ([`ConcernCode::IssuedInTheFuture`](crate::ConcernCode::IssuedInTheFuture)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FutureIssuedAt {
    /// Refuse it, as a credential that cannot be read ([`Refusal::Unreadable`](crate::Refusal::Unreadable)), also in a layer that
    /// lets those pass.
    ///
    /// If this machine's clock is behind by more than the leeway, every new token is refused until the clock has come that far.
    Refuse,
    /// Take it for a credential that does not say when it was issued: any cut-off on its keys refuses it, and so does a block that
    /// was lifted. Nothing else does. The default.
    ///
    /// If this machine's clock is behind by more than the leeway, that concerns new tokens of those who were cut off, until the
    /// clock has come that far.
    #[default]
    Undated,
}
