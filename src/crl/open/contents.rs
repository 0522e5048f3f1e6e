//! What a list says, in words.

use crate::model::timestamp::Timestamp;
use crate::statements::in_force::InForce;

/// Holds all that a list says, with ids in words: for tools. Gateways hold a [`RevocationList`](crate::RevocationList).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListContents {
    /// Who issued it.
    pub issuer: String,
    /// When the issuer began to look up what is in force.
    pub issued_at: Timestamp,
    /// Until when it may be fetched or confirmed, if it says so.
    pub expires_at: Option<Timestamp>,
    /// A name for what it says.
    pub generation: String,
    /// What it says. Each statement is about one subject.
    pub in_force: InForce,
}

impl ListContents {
    /// Returns what a list is to say. Its generation follows from that when it is signed.
    #[must_use]
    pub fn new(issuer: impl Into<String>, issued_at: Timestamp, in_force: InForce) -> Self {
        Self {
            issuer: issuer.into(),
            issued_at,
            expires_at: None,
            generation: String::new(),
            in_force,
        }
    }

    /// Sets until when the list may be fetched or confirmed. Defaults to no limit.
    #[must_use]
    pub const fn with_expiry(mut self, expires_at: Timestamp) -> Self {
        self.expires_at = Some(expires_at);
        self
    }
}
