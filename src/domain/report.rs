//! What a trust domain reports about itself.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use crate::common::log;
use crate::domain::concerns::concerns;
use crate::domain::health::{dead_letter_status, millis};
use crate::domain::trust_domain::TrustDomain;
use crate::model::canary;
use crate::model::credential::Credential;
use crate::model::policy::StalePolicy;
use crate::model::verdict::{Freshness, ListFreshness, Verdict};
use crate::state::view::State;
use crate::status::{CanaryStatus, InFlightStatus, ListStatus, OverlayStatus, Status};

impl TrustDomain {
    /// Returns everything that an operator asks about, as of now.
    pub(crate) fn status(&self) -> Status {
        let now = Instant::now();
        // If the clock was set back, nobody goes by a later time for long.
        self.now();
        let canary = self.newest_canary();
        // One view of the state, so that no part of the status contradicts another.
        let (answer, stale, needs_list, is_canary_refused, snapshot, overlay, policy) = self.store.look(|state| {
            let is_refused = |canary| matches!(state.verdict(canary, now), Verdict::Revoked(_));
            (
                state.freshness(now),
                state.stale(),
                state.needs_list(),
                canary.as_ref().is_some_and(is_refused),
                state.snapshot().cloned(),
                (state.overlay.len(), state.overlay.bytes()),
                state.policy,
            )
        });
        // The journal asks the file system. Nobody else should wait for that, so no lock is held here.
        let journal = self.journal.get().map(|journal| journal.status());
        let issuer_logs = self.issuer_log_status();
        let health = self.health();
        let mut status = Status {
            started_ms_ago: millis(self.age(now)),
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
            issuer_logs,
            dispositions: self.counters.of_dispositions(),
            last_dead_letter: health
                .last_dead_letter
                .as_ref()
                .map(|noted| dead_letter_status(noted, now)),
            verdicts: self.verdicts(),
            without_sessions: self.without_sessions(),
            doors: self.doors().iter().map(|door| door.status(now)).collect(),
            doubtful: self.doubtful.status(self.age(now)),
            would_refuse: self.counters.of_would_refuse(),
            in_flight: InFlightStatus {
                waiting: self.store.waiters.waiting(),
                woken: self.store.waiters.woken(),
                cut: self.counters.of_cut(),
                would_cut: self.counters.of_would_cut(),
            },
            canary: health.canary.status(policy.canary, is_canary_refused, now),
            journal,
        };
        drop(health);
        if let Some(proofs) = &status.canary {
            self.log_canary(proofs, canary.is_some());
        }
        status.concerns = concerns(&status, &policy, needs_list, self.is_polled());
        status
    }

    /// The credential that the newest canary would present. The decision that requests get has to refuse it.
    fn newest_canary(&self) -> Option<Credential> {
        let newest = self.health().canary.newest()?;
        Some(Credential::from(canary::key()).with_issued_at(newest))
    }

    /// Whether requests are answered by what is known.
    pub(crate) fn is_ready(&self) -> bool {
        let now = Instant::now();
        self.store
            .look(|state: &State| is_ready(&state.freshness(now), state.stale()))
    }

    /// Logs when proofs stop, and when they come again. Nothing is overdue before the first one.
    fn log_canary(&self, canary: &CanaryStatus, has_come: bool) {
        let is_missed = canary.is_overdue && has_come;
        if self.was_overdue.swap(is_missed, Ordering::Relaxed) == is_missed {
            return;
        }
        let age_ms = canary.last_proof_ms_ago;
        if is_missed {
            log::error!(age_ms, "canary is overdue: revocations may be getting lost");
        } else {
            log::info!(age_ms, "canary is refused again");
        }
    }
}

fn is_ready(list: &ListFreshness, stale: StalePolicy) -> bool {
    list.freshness == Freshness::Fresh || stale == StalePolicy::FailOpen
}
