//! When a statement is over.

use std::time::Duration;

use crate::model::timestamp::Timestamp;

/// Returns whether nobody takes a token any more that expired at `forget_at`: then no list has to carry its entry, and its issuer may
/// forget it.
pub(crate) fn is_over(forget_at: Timestamp, now: Timestamp) -> bool {
    forget_at.saturating_add(STAYS) < now
}

/// How long an entry stays beyond its end: a minute, since Nimbus, Spring Security and go-jose go on accepting a token for so long
/// after its `exp`, and another one, since the clocks of verifiers may be behind.
const STAYS: Duration = Duration::from_secs(120);
