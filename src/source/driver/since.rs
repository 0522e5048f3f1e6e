//! Since when messages are wanted.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::policy::ListPolicy;
use crate::model::timestamp::Timestamp;
use crate::sink::EventSink;

/// Since when messages are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Since {
    pub(super) time: Timestamp,
    /// Whether that is all which is not to be forgotten yet, so that nothing else has to say it.
    pub(super) is_all: bool,
}

impl Since {
    /// What came before is in the list that is in force, or in whichever will be. Where there is no list, it is as old as may be
    /// forgotten.
    pub(super) fn of(sink: &EventSink, margin: Duration) -> Self {
        let domain = sink.domain();
        let (policy, list, age) = domain.store.look(|state| {
            let age = state.freshness(Instant::now()).snapshot_age;
            (state.policy, state.snapshot().cloned(), age)
        });
        let start = match (policy.lists, list) {
            (ListPolicy::NotUsed, _) => Timestamp::now().saturating_sub(policy.retention),
            (_, Some(list)) => list
                .issued_at()
                .unwrap_or_else(|| Timestamp::now().saturating_sub(age.unwrap_or_default())),
            // The first list may come out of a cache. An older one than this would be stale.
            (_, None) => Timestamp::now().saturating_sub(policy.max_age),
        };
        Self {
            time: start.saturating_sub(margin),
            is_all: policy.lists == ListPolicy::NotUsed,
        }
    }
}
