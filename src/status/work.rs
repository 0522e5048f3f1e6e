//! Requests, and the work that they began.

use serde::Serialize;

/// Requests by what was decided.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct VerdictCounts {
    /// Nothing known against the credential, and fresh.
    pub admit: u64,
    /// No credential presented.
    pub anonymous: u64,
    /// Revoked.
    pub revoked: u64,
    /// Of these, those that an event alone refuses.
    pub revoked_by_event: u64,
    /// And those that the list refuses.
    pub revoked_by_list: u64,
    /// Nothing known against the credential, but not fresh.
    pub unknown: u64,
    /// A credential that could not be read.
    pub unreadable: u64,
}

/// Work that was admitted and is under way: response bodies, handlers, and whoever holds a guard.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct InFlightStatus {
    /// How much of it has had to wait, and is not over: that is what a revocation wakes. What never had to wait is not
    /// counted: it looks for itself, before each piece.
    pub waiting: usize,
    /// How often one that waited was woken, since a revocation concerned it.
    pub woken: u64,
    /// How much of it was ended: bodies, responses that were withheld, and guards, with all their clones, count one each.
    pub cut: u64,
    /// How much of it a layer in observe-only mode would have ended.
    pub would_cut: u64,
}
