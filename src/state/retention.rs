//! The clock that retention is counted on.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::domain_config::DomainConfig;
use crate::model::event::Event;
use crate::model::timestamp::Timestamp;

/// Whole seconds since the store began, on the monotonic clock, in 32 bits. The greatest value is never.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    epoch: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { epoch: Instant::now() }
    }

    pub(crate) fn seconds(&self) -> u32 {
        u32::try_from(self.epoch.elapsed().as_secs()).unwrap_or(NEVER)
    }

    /// When an event's effect may be forgotten.
    pub(crate) fn forget_at(&self, event: &Event, arrival: Timestamp, policy: &DomainConfig) -> u32 {
        let stated = match event {
            Event::Reinstate(_) => None,
            Event::Revoke(revocation) => revocation.forgotten_at(),
        };
        self.after(stated.map_or(policy.retention, |at| {
            at.saturating_since(arrival).saturating_add(policy.leeway)
        }))
    }

    /// The same moment on the wall clock, for storage; `None` for never.
    pub(crate) fn keep_until(&self, forget_at: u32, now: Timestamp) -> Option<Timestamp> {
        let keep = Duration::from_secs(forget_at.saturating_sub(self.seconds()).into());
        (forget_at < NEVER).then(|| now.saturating_add(keep))
    }

    /// The reverse, after a restart. If a clock is wrong at the start and set right soon after, nothing is forgotten at
    /// once.
    #[cfg_attr(not(feature = "journal"), expect(dead_code, reason = "only a journal restores"))]
    pub(crate) fn restored_forget_at(&self, keep_until: Option<Timestamp>, now: Timestamp) -> u32 {
        let keep = |until: Timestamp| until.saturating_since(now).max(KEPT_AFTER_RESTART);
        keep_until.map_or(NEVER, |until| self.after(keep(until)))
    }

    fn after(&self, keep: Duration) -> u32 {
        let keep = u32::try_from(keep.as_secs()).unwrap_or(NEVER);
        // One second more, since both ends are rounded down.
        self.seconds().saturating_add(keep).saturating_add(1)
    }
}

const NEVER: u32 = u32::MAX;

/// How long an entry is remembered after a restart at least, even if its time is over by the wall clock: 1 hour.
const KEPT_AFTER_RESTART: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::Revocation;
    use crate::model::key::Key;

    fn secs(secs: u64) -> Timestamp {
        Timestamp::from_unix_secs(secs)
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_is_kept_as_long_after_a_restart() {
        let (clock, now) = (Clock::new(), secs(1_000_000));
        tokio::time::advance(Duration::from_secs(500)).await;
        let event = Revocation::block(Key::token("t")).forget_at(secs(1_010_000)).into();
        let forget_at = clock.forget_at(&event, now, &DomainConfig::default());
        let until = clock.keep_until(forget_at, now).unwrap();
        let leeway = DomainConfig::default().leeway;
        assert_eq!(until, secs(1_010_001).saturating_add(leeway));

        let later = Clock::new();
        let days = [secs(1_000_000), secs(1_005_000), secs(999_000)];
        let kept = days.map(|now| later.restored_forget_at(Some(until), now));
        assert_eq!(kept, [10_062, 5_062, 11_062]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_over_is_kept_for_an_hour_more() {
        let clock = Clock::new();
        tokio::time::advance(Duration::from_secs(10)).await;
        for until in [secs(1), secs(1_000_000), secs(1_003_599)] {
            assert_eq!(clock.restored_forget_at(Some(until), secs(1_000_000)), 3_611, "{until}");
        }
        assert_eq!(clock.restored_forget_at(Some(secs(1_003_601)), secs(1_000_000)), 3_612);
    }

    #[tokio::test(start_paused = true)]
    async fn never_is_never() {
        let clock = Clock::new();
        let policy = DomainConfig {
            retention: Duration::MAX,
            ..DomainConfig::default()
        };
        let forget_at = clock.forget_at(&Revocation::block(Key::token("t")).into(), secs(5), &policy);
        assert_eq!(clock.keep_until(forget_at, secs(5)), None);
        assert_eq!(clock.restored_forget_at(None, secs(5)), NEVER);
    }
}
