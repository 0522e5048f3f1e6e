//! What events have said, and the proofs that they arrive.

use serde::Serialize;

/// Shows what events have said.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct OverlayStatus {
    /// How many keys are held.
    pub entries: usize,
    /// How many keys may be held.
    pub capacity: usize,
    /// How many bytes of memory they take: they are held twice.
    pub bytes: usize,
    /// How many events were put in force since the start, including those that said nothing new.
    pub applied: u64,
}

/// Shows the proofs that a revocation at the issuer is enforced here.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CanaryStatus {
    /// How often the issuer should revoke its canary.
    pub every_ms: u64,
    /// How long after that it should be refused here.
    pub within_ms: u64,
    /// How long ago the issuer revoked the newest canary that is refused here, by the issuer's clock; `None` before the
    /// first, and if that canary is not refused any more.
    pub last_proof_ms_ago: Option<u64>,
    /// How long it took until that canary was refused here, by both clocks.
    pub last_delay_ms: Option<u64>,
    /// Whether the next canary should be refused by now, and is not.
    pub is_overdue: bool,
}
