//! One trust domain: the store, and what is known about its feeds.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::domain::counters::Counters;
use crate::domain::door_counts::DoorCounts;
#[cfg(feature = "source")]
use crate::domain::health::FeedReport;
use crate::domain::health::{Health, SigningKeysHealth};
use crate::domain::observer::Observer;
use crate::domain::persistence::Persist;
use crate::domain::sightings::{Doubtful, SessionSightings};
use crate::issuer_log::IssuerLogs;
use crate::model::domain_config::DomainConfig;
use crate::model::timestamp::Timestamp;
use crate::state::store::Store;
use crate::status::FeedState;

/// One issuer's credentials, as one process sees them. Layers and sinks are handles to it.
pub(crate) struct TrustDomain {
    pub(crate) store: Store,
    pub(crate) counters: Counters,
    /// The state of the feed, as its consumer reports it; the poller watches it.
    pub(crate) feed: watch::Sender<FeedState>,
    /// How many times a fetch was requested, and how many of these requests were answered.
    pub(crate) requested: watch::Sender<u64>,
    /// Whether the host asked for the keys as well.
    pub(crate) wants_keys: AtomicBool,
    pub(crate) answered: watch::Sender<u64>,
    /// Persists what is known, if the host wants that.
    pub(crate) journal: OnceLock<Box<dyn Persist>>,
    /// Receives how long things took, if the host wants that.
    pub(crate) observer: OnceLock<Box<dyn Observer>>,
    health: Mutex<Health>,
    /// How far the issuer's own logs are known.
    pub(super) issuer_logs: Mutex<IssuerLogs>,
    /// Whether the last request found that the list is not fresh. Used only to log the change.
    pub(super) was_stale: AtomicBool,
    /// Whether the last status found that the canary is overdue. Used only to log the change.
    pub(super) was_overdue: AtomicBool,
    /// Whether it was logged that no request presents a credential.
    pub(super) was_never_presented: AtomicBool,
    /// Credentials that are not as they should be.
    pub(super) doubtful: Doubtful,
    /// Whether they name their sessions.
    pub(super) sessions: SessionSightings,
    /// Through which other parties' statements come in.
    doors: Mutex<Vec<Arc<DoorCounts>>>,
    /// What the system's clock showed when it was read last, in milliseconds since the epoch. Whoever only has to tell what is past
    /// reads this; one that is too early costs a look at the clock, and nothing else.
    pub(super) seen_time: AtomicU64,
    made_at: Instant,
}

impl TrustDomain {
    pub(crate) fn new(config: DomainConfig) -> Self {
        let mut health = Health::default();
        health.canary.is_expected = config.canary.is_some();
        Self {
            store: Store::new(config),
            counters: Counters::new(),
            feed: watch::Sender::new(FeedState::Unknown),
            requested: watch::Sender::new(0),
            wants_keys: AtomicBool::new(false),
            answered: watch::Sender::new(0),
            journal: OnceLock::new(),
            observer: OnceLock::new(),
            health: Mutex::new(health),
            issuer_logs: Mutex::default(),
            was_stale: AtomicBool::new(false),
            was_overdue: AtomicBool::new(false),
            was_never_presented: AtomicBool::new(false),
            doubtful: Doubtful::default(),
            sessions: SessionSightings::default(),
            doors: Mutex::default(),
            seen_time: AtomicU64::new(0),
            made_at: Instant::now(),
        }
    }

    /// Changes the settings.
    pub(crate) fn configure(&self, change: impl FnOnce(DomainConfig) -> DomainConfig) {
        self.store.configure(change);
        let mut health = self.health();
        // Looked up while that is held: of two that change it at a time, the later one has the last word.
        health.canary.is_expected = self.store.look(|state| state.policy.canary.is_some());
    }

    /// Returns the time of the system's clock, and notes it for those who need not know it that well.
    pub(super) fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        self.seen_time.store(now.as_unix_millis(), Ordering::Relaxed);
        now
    }

    /// Takes what the loop says of the feed that it reads.
    #[cfg(feature = "source")]
    pub(crate) fn set_feed_report(&self, report: FeedReport) {
        self.health().feed.report = report;
    }

    /// Returns what the loop said of its feed last.
    #[cfg(feature = "source")]
    pub(crate) fn feed_report(&self) -> FeedReport {
        self.health().feed.report.clone()
    }

    /// How long it has been there.
    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.made_at)
    }

    /// Notes that a good list came or was confirmed.
    pub(crate) fn poll_succeeded(&self) {
        let mut health = self.health();
        health.poll.last_success = Some(Instant::now());
        health.poll.last_error = None;
        health.poll.failures = 0;
    }

    /// Notes what is wrong with a poll. The list that came may be in force nevertheless.
    #[cfg_attr(not(feature = "crl-poll"), expect(dead_code, reason = "only the poller polls"))]
    pub(crate) fn poll_failed(&self, error: String, is_in_force: bool) {
        let mut health = self.health();
        if is_in_force {
            health.poll.last_success = Some(Instant::now());
        }
        health.poll.last_error = Some(error);
        health.poll.failures += 1;
        health.poll.is_in_force = is_in_force;
    }

    /// Notes which of the issuer's signing keys are known now.
    #[cfg_attr(not(feature = "crl-poll"), expect(dead_code, reason = "only the poller knows keys"))]
    pub(crate) fn signing_keys(&self, note: impl FnOnce(&mut SigningKeysHealth)) {
        note(self.health().poll.signing_keys.get_or_insert_default());
    }

    /// Adds a door.
    #[cfg_attr(not(feature = "logout"), expect(dead_code, reason = "logouts have the one door"))]
    pub(crate) fn add_door(&self, name: String) -> Arc<DoorCounts> {
        let door = Arc::new(DoorCounts::new(name));
        let mut doors = self.doors();
        // Those whose services are gone say nothing any more.
        doors.retain(|door| Arc::strong_count(door) > 1);
        doors.push(Arc::clone(&door));
        drop(doors);
        door
    }

    pub(super) fn doors(&self) -> MutexGuard<'_, Vec<Arc<DoorCounts>>> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustDomain").finish_non_exhaustive()
    }
}
