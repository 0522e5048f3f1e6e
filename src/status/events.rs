//! What events have said, and proofs that they arrive.

use serde::Serialize;

/// What events have said.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct OverlayStatus {
    /// How many keys are held.
    pub entries: usize,
    /// How many may be.
    pub capacity: usize,
    /// How many bytes of memory they take: they are held twice.
    pub bytes: usize,
    /// How many events were put in force since the start, those included that said nothing new.
    pub applied: u64,
}

/// Proofs that a revocation at the issuer is enforced here.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CanaryStatus {
    /// How often the issuer is to revoke its canary.
    pub every_ms: u64,
    /// How long after that it is to be refused here.
    pub within_ms: u64,
    /// How long ago the issuer revoked the newest that is refused here, by its own clock; `None` before the first, and if
    /// that is refused no more.
    pub last_proof_ms_ago: Option<u64>,
    /// How long that took to be enforced here, by both clocks.
    pub last_delay_ms: Option<u64>,
    /// Whether the next one should be refused by now, and is not.
    pub is_overdue: bool,
}
