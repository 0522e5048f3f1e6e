//! What is written rarely and read by operators.

use std::time::Duration;

use tokio::time::Instant;

use crate::status::{DeadLetterStatus, FeedState, FeedStatus, GapStatus, PollStatus};
use crate::timestamp::Timestamp;

/// How the poller and the feed have been.
#[derive(Debug, Default)]
pub(crate) struct Health {
    pub(crate) last_dead_letter: Option<(Instant, String)>,
    pub(crate) poll: PollHealth,
    pub(crate) feed: FeedHealth,
}

#[derive(Debug, Default)]
pub(crate) struct PollHealth {
    pub(crate) last_success: Option<Instant>,
    pub(crate) last_error: Option<String>,
    pub(crate) failures: u64,
}

/// How the feed has been; all but the last event and heartbeat is known only if the crate's own loop drives it.
#[derive(Debug, Default)]
pub(crate) struct FeedHealth {
    pub(crate) source: Option<String>,
    pub(crate) last_event: Option<Instant>,
    pub(crate) last_signal: Option<Instant>,
    /// When one came, and how old it was by then.
    last_heartbeat: Option<(Instant, Duration)>,
    pub(crate) lag: Option<u64>,
    pub(crate) unacknowledged: usize,
    pub(crate) opened: u64,
    pub(crate) gaps: u64,
    pub(crate) last_gap: Option<(Instant, String)>,
    pub(crate) is_gap_open: bool,
    pub(crate) last_error: Option<String>,
}

impl PollHealth {
    pub(crate) fn status(&self, now: Instant) -> PollStatus {
        PollStatus {
            last_success_ms_ago: self.last_success.map(|at| millis_since(at, now)),
            last_error: self.last_error.clone(),
            failures: self.failures,
        }
    }
}

impl FeedHealth {
    /// Notes a heartbeat that its issuer dates `stated`. One that is read again later proves no more than it did then.
    pub(crate) fn heartbeat(&mut self, stated: Timestamp, wall: Timestamp, now: Instant) {
        let age = wall.saturating_since(stated);
        if self.heartbeat_age(now).is_none_or(|known| age <= known) {
            self.last_heartbeat = Some((now, age));
        }
    }

    pub(crate) fn heartbeat_age(&self, now: Instant) -> Option<Duration> {
        let (came, age) = self.last_heartbeat?;
        Some(age.saturating_add(now.saturating_duration_since(came)))
    }

    pub(crate) fn status(&self, state: FeedState, now: Instant) -> FeedStatus {
        FeedStatus {
            source: self.source.clone(),
            state,
            last_event_ms_ago: self.last_event.map(|at| millis_since(at, now)),
            last_signal_ms_ago: self.last_signal.map(|at| millis_since(at, now)),
            last_heartbeat_ms_ago: self.heartbeat_age(now).map(millis),
            lag: self.lag,
            unacknowledged: self.unacknowledged,
            opened: self.opened,
            gaps: self.gaps,
            last_gap: self.last_gap.as_ref().map(|(at, reason)| GapStatus {
                reason: reason.clone(),
                ms_ago: millis_since(*at, now),
                is_open: self.is_gap_open,
            }),
            last_error: self.last_error.clone(),
        }
    }
}

pub(crate) fn dead_letter_status(noted: &(Instant, String), now: Instant) -> DeadLetterStatus {
    let (at, reason) = noted;
    DeadLetterStatus {
        reason: reason.clone(),
        ms_ago: millis_since(*at, now),
    }
}

fn millis_since(at: Instant, now: Instant) -> u64 {
    millis(now.saturating_duration_since(at))
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_that_is_read_again_counts_from_when_it_was_sent() {
        let start = Instant::now();
        let wall = Timestamp::from_unix_secs(1_000);
        let mut feed = FeedHealth::default();
        assert_eq!(feed.heartbeat_age(start), None);
        feed.heartbeat(Timestamp::from_unix_secs(900), wall, start);
        assert_eq!(feed.heartbeat_age(start), Some(Duration::from_secs(100)));
        feed.heartbeat(Timestamp::from_unix_secs(998), wall, start);
        let later = start + Duration::from_secs(3);
        assert_eq!(feed.heartbeat_age(later), Some(Duration::from_secs(5)));
        // An older one, and one from a clock that is ahead.
        feed.heartbeat(Timestamp::from_unix_secs(950), Timestamp::from_unix_secs(1_003), later);
        assert_eq!(feed.heartbeat_age(later), Some(Duration::from_secs(5)));
        feed.heartbeat(
            Timestamp::from_unix_secs(5_000),
            Timestamp::from_unix_secs(1_003),
            later,
        );
        assert_eq!(feed.heartbeat_age(later), Some(Duration::ZERO));
    }
}
