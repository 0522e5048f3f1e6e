//! State that is written rarely and read by operators.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::canary::Canary;
use crate::model::timestamp::Timestamp;
use crate::status::{CanaryStatus, DeadLetterStatus, FeedState, FeedStatus, GapStatus, PollStatus, SigningKeysStatus};

/// How the poller and the feed do.
#[derive(Debug, Default)]
pub(crate) struct Health {
    pub(crate) last_dead_letter: Option<(Instant, String)>,
    pub(crate) poll: PollHealth,
    pub(crate) feed: FeedHealth,
    pub(crate) canary: CanaryHealth,
}

#[derive(Debug, Default)]
pub(crate) struct PollHealth {
    pub(crate) last_success: Option<Instant>,
    pub(crate) last_error: Option<String>,
    pub(crate) failures: u64,
    /// Whether the list that the last failed poll brought is in force.
    pub(crate) is_in_force: bool,
    pub(crate) signing_keys: Option<SigningKeysHealth>,
}

#[derive(Debug, Default)]
pub(crate) struct SigningKeysHealth {
    pub(crate) count: usize,
    pub(crate) fetched: Option<Instant>,
    pub(crate) last_error: Option<String>,
}

/// How the feed does.
#[derive(Debug, Default)]
pub(crate) struct FeedHealth {
    /// When it came into its present state.
    pub(crate) since: Option<Instant>,
    pub(crate) last_event: Option<Instant>,
    /// When the journal was last asked to keep that it is live.
    pub(crate) kept: Option<Instant>,
    last_heartbeat: Option<Dated>,
    pub(crate) report: FeedReport,
}

/// What the loop says of the feed that it reads, as of its last report. Nothing, if no loop of this crate's reads it.
#[derive(Clone, Debug, Default)]
pub(crate) struct FeedReport {
    pub(crate) source: Option<Arc<str>>,
    pub(crate) last_signal: Option<Instant>,
    pub(crate) lag: Option<u64>,
    /// How far the copy that is read is behind, if one is, and it is.
    pub(crate) behind: Option<Duration>,
    pub(crate) unacknowledged: usize,
    pub(crate) opened: u64,
    pub(crate) gaps: u64,
    pub(crate) last_gap: Option<(Instant, Arc<str>)>,
    pub(crate) is_gap_open: bool,
    pub(crate) last_error: Option<Arc<str>>,
}

impl PollHealth {
    pub(crate) fn status(&self, now: Instant) -> PollStatus {
        PollStatus {
            last_success_ms_ago: self.last_success.map(|at| millis_since(at, now)),
            last_error: self.last_error.clone(),
            failures: self.failures,
            signing_keys: self.signing_keys.as_ref().map(|keys| SigningKeysStatus {
                count: keys.count,
                fetched_ms_ago: keys.fetched.map(|at| millis_since(at, now)),
                last_error: keys.last_error.clone(),
            }),
        }
    }
}

/// What canaries have proved.
#[derive(Debug, Default)]
pub(crate) struct CanaryHealth {
    /// Whether the host expects any. Kept here beside its settings, so that an event need not look there.
    pub(crate) is_expected: bool,
    /// The newest canary, with the time at which the issuer revoked it, by the issuer's clock.
    newest: Option<(Timestamp, Dated)>,
}

/// Something that came in with a time that its issuer gave it.
#[derive(Clone, Copy, Debug)]
struct Dated {
    came: Instant,
    /// How old it was then.
    age: Duration,
}

impl CanaryHealth {
    /// Notes a canary that the issuer revoked at `stated`. If the same one comes again, it proves nothing new.
    pub(crate) fn arrived(&mut self, stated: Timestamp, wall: Timestamp, came: Instant) {
        let canary = Dated::new(stated, wall, came);
        let is_news = |(known, newest)| stated != known && canary.follows(newest);
        if self.newest.is_none_or(is_news) {
            self.newest = Some((stated, canary));
        }
    }

    /// When the issuer revoked the newest canary.
    pub(crate) fn newest(&self) -> Option<Timestamp> {
        self.newest.map(|(stated, _)| stated)
    }

    /// The status of proofs, if any are `expected`. `is_refused` says whether the newest canary is refused just now.
    pub(crate) fn status(&self, expected: Option<Canary>, is_refused: bool, now: Instant) -> Option<CanaryStatus> {
        let expected = expected?;
        let proof = self.newest.filter(|_| is_refused).map(|(_, proof)| proof);
        let age = proof.map(|proof| proof.age_at(now));
        Some(CanaryStatus {
            every_ms: millis(expected.period()),
            within_ms: millis(expected.bound()),
            last_proof_ms_ago: age.map(millis),
            last_delay_ms: proof.map(|proof| millis(proof.age)),
            is_overdue: age.is_none_or(|age| age > expected.oldest_proof()),
        })
    }
}

impl Dated {
    fn new(stated: Timestamp, wall: Timestamp, came: Instant) -> Self {
        let age = wall.saturating_since(stated);
        Self { came, age }
    }

    fn age_at(self, now: Instant) -> Duration {
        self.age.saturating_add(now.saturating_duration_since(self.came))
    }

    /// Whether it is no older than another. Compares ages and not times: one from a clock that was ahead must not hide
    /// those that come after it.
    fn follows(self, other: Self) -> bool {
        self.age <= other.age_at(self.came)
    }
}

impl FeedHealth {
    /// Notes a heartbeat with the time that its issuer gave it. If it is read again later, it proves no more than it
    /// did then.
    pub(crate) fn heartbeat(&mut self, stated: Timestamp, wall: Timestamp, now: Instant) {
        let heartbeat = Dated::new(stated, wall, now);
        if self.last_heartbeat.is_none_or(|known| heartbeat.follows(known)) {
            self.last_heartbeat = Some(heartbeat);
        }
    }

    pub(crate) fn heartbeat_age(&self, now: Instant) -> Option<Duration> {
        self.last_heartbeat.map(|heartbeat| heartbeat.age_at(now))
    }

    pub(crate) fn status(&self, state: FeedState, now: Instant) -> FeedStatus {
        let report = &self.report;
        FeedStatus {
            source: report.source.as_deref().map(str::to_owned),
            state,
            state_for_ms: self.since.map(|at| millis_since(at, now)),
            last_event_ms_ago: self.last_event.map(|at| millis_since(at, now)),
            last_signal_ms_ago: report.last_signal.map(|at| millis_since(at, now)),
            last_heartbeat_ms_ago: self.heartbeat_age(now).map(millis),
            lag: report.lag,
            behind_ms: report.behind.map(millis),
            unacknowledged: report.unacknowledged,
            opened: report.opened,
            gaps: report.gaps,
            last_gap: report.last_gap.as_ref().map(|(at, reason)| GapStatus {
                reason: reason.as_ref().to_owned(),
                ms_ago: millis_since(*at, now),
                is_open: report.is_gap_open,
            }),
            last_error: report.last_error.as_deref().map(str::to_owned),
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
    fn a_canary_proves_what_it_did_when_it_came_and_grows_old_from_then_on() {
        let start = Instant::now();
        let (wall, second) = (Timestamp::from_unix_secs(1_000), Duration::from_secs(1));
        let mut canary = CanaryHealth::default();
        assert!(canary.status(None, true, start).is_none(), "none is expected");
        let expected = Some(Canary::every(10 * second).within(2 * second));
        let is_overdue = |canary: &CanaryHealth, at| canary.status(expected, true, at).unwrap().is_overdue;
        assert!(is_overdue(&canary, start), "none has come");
        canary.arrived(Timestamp::from_unix_secs(999), wall, start);
        let status = canary.status(expected, true, start + 11 * second).unwrap();
        assert_eq!(
            (status.last_proof_ms_ago, status.last_delay_ms),
            (Some(12_000), Some(1_000))
        );
        assert!(!status.is_overdue);
        let late = start + Duration::from_millis(11_001);
        assert!(is_overdue(&canary, late));
        // Read again, from a log that is replayed.
        canary.arrived(Timestamp::from_unix_secs(999), Timestamp::from_unix_secs(1_011), late);
        assert!(is_overdue(&canary, late));
        // From a clock that is far ahead: it counts as new when it comes, and no longer.
        canary.arrived(Timestamp::from_unix_secs(9_999), Timestamp::from_unix_secs(1_011), late);
        assert!(!is_overdue(&canary, late));
        assert!(is_overdue(&canary, late + 13 * second));
        // Once the clock is right again, its canaries are good again. One from before that proves nothing.
        let healed = late + 20 * second;
        let arrives = |canary: &mut CanaryHealth, at| {
            canary.arrived(Timestamp::from_unix_secs(at), Timestamp::from_unix_secs(1_031), healed);
            is_overdue(canary, healed)
        };
        assert!(arrives(&mut canary, 1_010));
        assert!(!arrives(&mut canary, 1_030));
        // An older one that comes later changes nothing.
        assert!(!arrives(&mut canary, 1_001));
        // A canary that is not in force proves nothing.
        assert!(canary.status(expected, false, late).unwrap().is_overdue);
    }

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
