//! One trust domain: the store, and what is known about how it is fed.

use std::cell::LazyCell;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::domain::concerns::concerns;
use crate::domain::counters::{Counters, Outcome};
use crate::domain::health::{Health, SigningKeysHealth, dead_letter_status, millis};
use crate::domain::observer::{Observer, Phase};
use crate::domain::persistence::Persist;
use crate::model::canary;
use crate::model::credential::{Credential, Identity};
use crate::model::event::Event;
use crate::model::policy::{ListPolicy, Policy, StalePolicy};
use crate::model::refusal::{DEFAULT_RETRY_AFTER, Refusal};
use crate::model::timestamp::Timestamp;
use crate::model::verdict::{Freshness, ListFreshness, Verdict};
use crate::state::store::Store;
use crate::state::view::State;
use crate::status::{CanaryStatus, FeedState, InFlightStatus, ListStatus, OverlayStatus, Status, VerdictCounts};

/// One issuer's credentials, as one process sees them. Layers and sinks are handles to it.
pub(crate) struct TrustDomain {
    pub(crate) store: Store,
    pub(crate) counters: Counters,
    /// What the feed's consumer says; the poller watches it.
    pub(crate) feed: watch::Sender<FeedState>,
    /// How many times a fetch was asked for, and how many of these have been answered.
    pub(crate) requested: watch::Sender<u64>,
    pub(crate) answered: watch::Sender<u64>,
    /// Keeps what is known beyond the life of the process, if the host wants that.
    pub(crate) journal: OnceLock<Box<dyn Persist>>,
    /// Is told how long things took, if the host wants that.
    pub(crate) observer: OnceLock<Box<dyn Observer>>,
    health: Mutex<Health>,
    /// Whether the last request found the list not fresh: only to log the change.
    was_stale: AtomicBool,
    /// Whether whoever asked last found the canary overdue: the same.
    was_overdue: AtomicBool,
}

impl TrustDomain {
    pub(crate) fn new() -> Self {
        Self {
            store: Store::new(Policy::default()),
            counters: Counters::new(),
            feed: watch::Sender::new(FeedState::Unknown),
            requested: watch::Sender::new(0),
            answered: watch::Sender::new(0),
            journal: OnceLock::new(),
            observer: OnceLock::new(),
            health: Mutex::default(),
            was_stale: AtomicBool::new(false),
            was_overdue: AtomicBool::new(false),
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

    /// Notes events that are in force, but for as many of them as were refused.
    pub(crate) fn applied(&self, events: &[Event], refused: usize) {
        if refused >= events.len() {
            return;
        }
        self.counters.applied(events.len() - refused);
        // Read only if somebody wants to know how long it took.
        let wall = LazyCell::new(Timestamp::now);
        let now = Instant::now();
        let dated = events.iter().filter_map(|event| match event {
            Event::Revoke(revocation) => Some((event.key(), revocation.effective_at()?)),
            // One that comes late does no harm.
            Event::Reinstate(_) => None,
        });
        if let Some(observer) = self.observer.get().filter(|_| refused == 0) {
            let phase = match *self.feed.borrow() {
                FeedState::Unknown | FeedState::Live => Phase::Live,
                FeedState::Connecting | FeedState::CatchingUp | FeedState::Down => Phase::CatchUp,
            };
            for (_, at) in dated.clone() {
                observer.enforced(wall.saturating_since(at), phase);
            }
        }
        let mut health = self.health();
        health.feed.last_event = Some(now);
        // Of a batch of which something was refused nobody knows which: it comes again.
        if health.canary.terms.is_some() && refused == 0 {
            let canary = canary::key();
            for (_, at) in dated.filter(|(key, _)| **key == canary) {
                health.canary.arrived(at, *wall, now);
            }
        }
    }

    /// Says how the feed is. Returns whether that is news.
    pub(crate) fn set_feed(&self, state: FeedState) -> bool {
        let is_news = self
            .feed
            .send_if_modified(|known| std::mem::replace(known, state) != state);
        if is_news {
            self.health().feed.since = Some(Instant::now());
            tracing::info!(?state, "event feed changed");
        }
        is_news
    }

    /// All older events came in. Where events alone decide, and are replayed from the beginning, that makes up for what was
    /// lost.
    pub(crate) fn caught_up(&self) {
        if self
            .store
            .look(|state| state.policy.lists == ListPolicy::NotUsed && state.needs_list())
        {
            self.store.set_needs_list(false);
            if let Some(journal) = self.journal.get() {
                // Nothing to wait for: until it is kept, a restart finds the loss.
                drop(journal.persist_resynced());
            }
        }
    }

    pub(crate) fn dead_lettered(&self, reason: &str) {
        self.health().last_dead_letter = Some((Instant::now(), reason.to_owned()));
    }

    /// Notes that a list came or was confirmed, and nothing is wrong with it.
    pub(crate) fn poll_succeeded(&self) {
        let mut health = self.health();
        health.poll.last_success = Some(Instant::now());
        health.poll.last_error = None;
        health.poll.failures = 0;
    }

    /// Notes what is wrong; the list that came may be in force all the same.
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

    pub(crate) fn status(&self) -> Status {
        let now = Instant::now();
        let canary = self.newest_canary();
        // One view, so that no part of it contradicts another.
        let (answer, stale, needs_list, is_canary_refused, snapshot, overlay, policy) = self.store.look(|state| {
            let is_refused = |canary| matches!(state.decide(canary, now).verdict, Verdict::Revoked(_));
            (
                state.status(now),
                state.stale(),
                state.needs_list(),
                canary.as_ref().is_some_and(is_refused),
                state.snapshot().cloned(),
                (state.overlay.len(), state.overlay.bytes()),
                state.policy,
            )
        });
        // It asks the file system. Nobody else should wait for that.
        let journal = self.journal.get().map(|journal| journal.status());
        let health = self.health();
        let [by_event, by_list] =
            [Outcome::RevokedByEvent, Outcome::RevokedByList].map(|outcome| self.counters.of_outcome(outcome));
        let mut status = Status {
            ready: is_ready(&answer, stale),
            concerns: Vec::new(),
            freshness: answer.freshness,
            snapshot: snapshot.map(|list| ListStatus {
                entries: list.entries(),
                bytes: list.bytes(),
                age_ms: answer.snapshot_age.map_or(0, millis),
                max_age_ms: millis(policy.max_age),
                iat: list.issued_at().map(|at| at.as_unix_secs()),
            }),
            poll: health.poll.status(now),
            overlay: OverlayStatus {
                entries: overlay.0,
                capacity: policy.capacity.get(),
                bytes: 2 * overlay.1,
                applied: self.counters.of_events(),
            },
            feed: health.feed.status(*self.feed.borrow(), now),
            dispositions: self.counters.of_dispositions(),
            last_dead_letter: health
                .last_dead_letter
                .as_ref()
                .map(|noted| dead_letter_status(noted, now)),
            verdicts: VerdictCounts {
                admit: self.counters.of_outcome(Outcome::Admit),
                anonymous: self.counters.of_outcome(Outcome::Anonymous),
                revoked: by_event + by_list,
                revoked_by_event: by_event,
                revoked_by_list: by_list,
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
            canary: health.canary.status(is_canary_refused, now),
            journal,
        };
        drop(health);
        if let Some(proofs) = &status.canary {
            self.log_canary(proofs, canary.is_some());
        }
        status.concerns = concerns(&status, &policy, needs_list);
        status
    }

    /// What the newest canary would present. It has to be refused, by the decision that requests get.
    fn newest_canary(&self) -> Option<Credential> {
        let newest = self.health().canary.newest()?;
        Some(Credential::from(canary::key()).with_issued_at(newest))
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
            Verdict::Revoked(why) => (Outcome::from(why.source), Some(Refusal::Revoked(why))),
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

    /// Logs when proofs stop, and when they come again. Before the first there is nothing to miss.
    fn log_canary(&self, canary: &CanaryStatus, has_come: bool) {
        let is_missed = canary.is_overdue && has_come;
        if self.was_overdue.swap(is_missed, Ordering::Relaxed) == is_missed {
            return;
        }
        let age_ms = canary.last_proof_ms_ago;
        if is_missed {
            tracing::error!(age_ms, "canary is overdue: revocations may be getting lost");
        } else {
            tracing::info!(age_ms, "canary is refused again");
        }
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

/// What is to be done with a request.
#[derive(Debug)]
pub(crate) struct Ruling {
    pub(crate) refusal: Option<Refusal>,
    pub(crate) status: ListFreshness,
    /// Which state decided; of no matter without a credential.
    pub(crate) version: u64,
}

fn is_ready(status: &ListFreshness, stale: StalePolicy) -> bool {
    status.freshness == Freshness::Fresh || stale == StalePolicy::FailOpen
}
