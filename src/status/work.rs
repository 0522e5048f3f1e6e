//! Requests, and the work that they began.

use serde::Serialize;

/// Counts requests by what was decided.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct VerdictCounts {
    /// Nothing is known against the credential, and the list is fresh.
    pub admit: u64,
    /// No credential was presented.
    pub anonymous: u64,
    /// Revoked.
    pub revoked: u64,
    /// Those of the revoked that an event alone refuses.
    pub revoked_by_event: u64,
    /// Those of the revoked that the list refuses.
    pub revoked_by_list: u64,
    /// Nothing is known against the credential, but the list is not fresh.
    pub unknown: u64,
    /// A credential that could not be read.
    pub unreadable: u64,
}

/// Counts work that was admitted and is still running: response bodies, handlers, and holders of a guard.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct InFlightStatus {
    /// How much of it has had to wait, and is not over: a revocation wakes it. Work that never had to wait is not
    /// counted: it checks before each piece.
    pub waiting: usize,
    /// How often waiting work was woken because a revocation concerned it.
    pub woken: u64,
    /// How much of it was ended. Each body, each withheld response, and each guard with all its clones counts as one.
    pub cut: u64,
    /// How much of it a layer in observe-only mode would have ended.
    pub would_cut: u64,
}

/// Tells of credentials that are not as they should be. Each is decided all the same.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DoubtfulStatus {
    /// Those that say they were issued in the future, beyond the leeway.
    pub issued_in_future: SightingStatus,
    /// Those that were read, and have no key.
    pub without_keys: SightingStatus,
}

/// Tells how often something was seen in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SightingStatus {
    /// How often since the start.
    pub count: u64,
    /// How long ago it was seen last; `None` if never.
    pub last_ms_ago: Option<u64>,
}
