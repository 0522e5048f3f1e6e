//! Since when messages are wanted.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::policy::ListPolicy;
use crate::model::timestamp::Timestamp;
use crate::sink::EventSink;

/// Since when messages are wanted: what came before is in the list that is in force, or in whichever will be.
pub(super) fn since(sink: &EventSink, margin: Duration) -> Timestamp {
    let domain = sink.domain();
    let (policy, list, age) = domain.store.look(|state| {
        let age = state.freshness(Instant::now()).snapshot_age;
        (state.policy, state.snapshot().cloned(), age)
    });
    let start = match (policy.lists, list) {
        (ListPolicy::NotUsed, _) => return Timestamp::default(),
        (_, Some(list)) => list
            .issued_at()
            .unwrap_or_else(|| Timestamp::now().saturating_sub(age.unwrap_or_default())),
        // The first list may come out of a cache. An older one than this would be stale.
        (_, None) => Timestamp::now().saturating_sub(policy.max_age),
    };
    start.saturating_sub(margin)
}
