//! One trust domain: the store, and what is known about how it is fed.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::counters::{Counters, Outcome};
use crate::credential::{Credential, Identity};
use crate::health::{Health, dead_letter_status, millis};
use crate::keep::Keep;
use crate::policy::{Lists, Policy, StalePolicy};
use crate::refusal::{DEFAULT_RETRY_AFTER, Refusal};
use crate::state::State;
use crate::status::{
    DispositionCounts, FeedState, InFlightStatus, OverlayStatus, SnapshotStatus, Status, VerdictCounts,
};
use crate::store::Store;
use crate::verdict::{Freshness, RevocationStatus, Verdict};

/// One issuer's credentials, as one process sees them. Layers and sinks are handles to it.
pub(crate) struct Domain {
    pub(crate) store: Store,
    pub(crate) counters: Counters,
    /// What the feed's consumer says; the poller watches it.
    pub(crate) feed: watch::Sender<FeedState>,
    /// How many times a fetch was asked for, and how many of these have been answered.
    pub(crate) requested: watch::Sender<u64>,
    pub(crate) answered: watch::Sender<u64>,
    /// Keeps what is known beyond the life of the process, if the host wants that.
    pub(crate) journal: OnceLock<Box<dyn Keep>>,
    health: Mutex<Health>,
    /// Whether the last request found the list not fresh: only to log the change.
    was_stale: AtomicBool,
}

impl Domain {
    pub(crate) fn new() -> Self {
        Self {
            store: Store::new(Policy::default()),
            counters: Counters::new(),
            feed: watch::Sender::new(FeedState::Unknown),
            requested: watch::Sender::new(0),
            answered: watch::Sender::new(0),
            journal: OnceLock::new(),
            health: Mutex::default(),
            was_stale: AtomicBool::new(false),
        }
    }

    /// Whether to refuse a request, and how fresh the answer is. Counts it.
    pub(crate) fn rule(&self, identity: &Identity) -> Ruling {
        match identity {
            Identity::Anonymous => self.without_credential(Outcome::Anonymous, Refusal::Missing),
            Identity::Unreadable(problem) => {
                self.without_credential(Outcome::Unreadable, Refusal::Unreadable { problem })
            }
            Identity::Partial(credential, problem) => self.decide(credential, Some(problem)),
            Identity::Presented(credential) => self.decide(credential, None),
        }
    }

    pub(crate) fn applied(&self) {
        self.health().feed.last_event = Some(Instant::now());
    }

    /// All older events came in. Where events alone decide, and are replayed from the beginning, that makes up for what was
    /// lost.
    pub(crate) fn caught_up(&self) {
        if self
            .store
            .look(|state| state.policy.lists == Lists::None && state.is_lost())
        {
            self.store.lose(false);
            if let Some(journal) = self.journal.get() {
                // Nothing to wait for: until it is kept, a restart finds the loss.
                drop(journal.keep_made_good());
            }
        }
    }

    pub(crate) fn dead_lettered(&self, reason: &str) {
        self.health().last_dead_letter = Some((Instant::now(), reason.to_owned()));
    }

    pub(crate) fn poll_succeeded(&self) {
        let mut health = self.health();
        health.poll.last_success = Some(Instant::now());
        health.poll.last_error = None;
        health.poll.failures = 0;
    }

    #[cfg_attr(not(feature = "crl-poll"), expect(dead_code, reason = "only the poller polls"))]
    pub(crate) fn poll_failed(&self, error: String) {
        let mut health = self.health();
        health.poll.last_error = Some(error);
        health.poll.failures += 1;
    }

    pub(crate) fn status(&self) -> Status {
        let now = Instant::now();
        let (answer, stale, snapshot, overlay, policy) = self.store.look(|state| {
            (
                state.status(now),
                state.stale(),
                state.snapshot().cloned(),
                state.overlay.len(),
                state.policy,
            )
        });
        // It asks the file system. Nobody else should wait for that.
        let journal = self.journal.get().map(|journal| journal.status());
        let health = self.health();
        Status {
            ready: is_ready(&answer, stale),
            freshness: answer.freshness,
            snapshot: snapshot.map(|list| SnapshotStatus {
                entries: list.entries(),
                age_ms: answer.snapshot_age.map_or(0, millis),
                iat: list.issued_at().map(|at| at.as_unix_secs()),
            }),
            poll: health.poll.status(now),
            overlay: OverlayStatus {
                entries: overlay,
                capacity: policy.capacity.get(),
            },
            feed: health.feed.status(*self.feed.borrow(), now),
            dispositions: DispositionCounts {
                applied: self.counters.of_disposition("applied"),
                ignored: self.counters.of_disposition("ignored"),
                retry: self.counters.of_disposition("retry"),
                dead_letter: self.counters.of_disposition("dead-letter"),
            },
            last_dead_letter: health
                .last_dead_letter
                .as_ref()
                .map(|noted| dead_letter_status(noted, now)),
            verdicts: VerdictCounts {
                admit: self.counters.of_outcome(Outcome::Admit),
                anonymous: self.counters.of_outcome(Outcome::Anonymous),
                revoked: self.counters.of_outcome(Outcome::Revoked),
                unknown: self.counters.of_outcome(Outcome::Unknown),
                unreadable: self.counters.of_outcome(Outcome::Unreadable),
            },
            would_refuse: self.counters.of_would_refuse(),
            in_flight: InFlightStatus {
                waiting: self.store.live.waiting(),
                woken: self.store.live.woken(),
                cut: self.counters.of_cut(),
                would_cut: self.counters.of_would_cut(),
            },
            journal,
        }
    }

    /// Whether requests are answered by what is known.
    pub(crate) fn is_ready(&self) -> bool {
        let now = Instant::now();
        self.store
            .look(|state: &State| is_ready(&state.status(now), state.stale()))
    }

    /// Rules on a credential, and on what is beside it if that cannot be read.
    fn decide(&self, credential: &Credential, unreadable: Option<&'static str>) -> Ruling {
        let decision = self.store.decide(credential);
        let stale = decision.status.freshness != Freshness::Fresh;
        if stale != self.was_stale.load(Ordering::Relaxed) {
            self.log_transition(stale, decision.stale);
        }
        let (outcome, refusal) = match decision.verdict {
            Verdict::Admit => (Outcome::Admit, None),
            Verdict::Revoked(why) => (Outcome::Revoked, Some(Refusal::Revoked(why))),
            Verdict::Unknown(why) => {
                let refusal = match decision.stale {
                    StalePolicy::FailOpen => None,
                    StalePolicy::FailClosed => Some(Refusal::Unavailable {
                        why,
                        retry_after: DEFAULT_RETRY_AFTER,
                    }),
                };
                (Outcome::Unknown, refusal)
            }
        };
        let (outcome, refusal) = match (refusal, unreadable) {
            (None, Some(problem)) => (Outcome::Unreadable, Some(Refusal::Unreadable { problem })),
            (refusal, _) => (outcome, refusal),
        };
        self.counters.decided(outcome);
        Ruling {
            refusal,
            status: decision.status,
            version: decision.version,
        }
    }

    fn without_credential(&self, outcome: Outcome, refusal: Refusal) -> Ruling {
        self.counters.decided(outcome);
        Ruling {
            refusal: Some(refusal),
            status: self.store.look(|state| state.status(Instant::now())),
            version: 0,
        }
    }

    #[cold]
    fn log_transition(&self, stale: bool, policy: StalePolicy) {
        // Of several requests that see the change at once, one logs it.
        if self.was_stale.swap(stale, Ordering::Relaxed) == stale {
            return;
        }
        match (stale, policy) {
            (false, _) => tracing::info!("revocation list is fresh again"),
            (true, StalePolicy::FailClosed) => {
                tracing::warn!("no fresh revocation list: refusing credentials that nothing is known against");
            }
            (true, StalePolicy::FailOpen) => {
                tracing::warn!("no fresh revocation list: admitting credentials that may be revoked");
            }
        }
    }

    pub(crate) fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Domain").finish_non_exhaustive()
    }
}

/// What is to be done with a request.
#[derive(Debug)]
pub(crate) struct Ruling {
    pub(crate) refusal: Option<Refusal>,
    pub(crate) status: RevocationStatus,
    /// Which state decided; of no matter without a credential.
    pub(crate) version: u64,
}

/// An error and its causes in one line, of bounded length: parts of it may come from outside.
pub(crate) fn words(error: &(dyn Error + 'static)) -> Cow<'static, str> {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words.push_str(": ");
        words.push_str(&cause.to_string());
        source = cause.source();
    }
    if let Some((end, _)) = words.char_indices().nth(LONGEST_WORDS) {
        words.truncate(end);
        words.push('…');
    }
    Cow::Owned(words)
}

/// How many characters of an error are kept.
const LONGEST_WORDS: usize = 500;

fn is_ready(status: &RevocationStatus, stale: StalePolicy) -> bool {
    status.freshness == Freshness::Fresh || stale == StalePolicy::FailOpen
}
