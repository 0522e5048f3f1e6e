//! Whether requests present credentials at all, and these their sessions.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use crate::common::log;
use crate::domain::counters::Outcome;
use crate::domain::sightings::{IDLE, LOOKING, SEEN};
use crate::domain::trust_domain::TrustDomain;
use crate::model::credential::Credential;
use crate::model::key::KeyKind;
use crate::status::VerdictCounts;

impl TrustDomain {
    /// Logs once if no request has ever presented a credential. `count` is how many without one a thread (or a few that share its
    /// counter) has seen, so that almost all of these requests pay one comparison for it, and no other request anything.
    pub(super) fn suspect(&self, count: u64) {
        if count.is_multiple_of(ANONYMOUS_REQUESTS) {
            self.look_for_credentials();
        }
    }

    #[cold]
    fn look_for_credentials(&self) {
        let verdicts = self.verdicts();
        let is_suspicious = is_never_presented(&verdicts, self.age(Instant::now()));
        if is_suspicious && !self.was_never_presented.swap(true, Ordering::Relaxed) {
            let requests = verdicts.anonymous;
            log::warn!(
                requests,
                "no request has presented a credential: the layer may look in the wrong place, or see requests before they are \
                 authenticated"
            );
        }
    }

    /// How many requests there were, by what was decided.
    pub(crate) fn verdicts(&self) -> VerdictCounts {
        let of = |outcome| self.counters.of_outcome(outcome);
        let (by_event, by_list) = (of(Outcome::RevokedByEvent), of(Outcome::RevokedByList));
        VerdictCounts {
            admit: of(Outcome::Admit),
            anonymous: of(Outcome::Anonymous),
            revoked: by_event + by_list,
            revoked_by_event: by_event,
            revoked_by_list: by_list,
            unknown: of(Outcome::Unknown),
            unreadable: of(Outcome::Unreadable),
        }
    }
}

impl TrustDomain {
    /// Notes that a door ended a session alone, which reaches nobody if credentials do not name theirs.
    #[cfg_attr(not(feature = "logout"), expect(dead_code, reason = "logouts end sessions"))]
    pub(crate) fn note_ended_session(&self) {
        let presented = self.presented();
        let sessions = &self.sessions;
        let begun = sessions
            .state
            .compare_exchange(IDLE, LOOKING, Ordering::Relaxed, Ordering::Relaxed);
        if begun.is_ok() {
            sessions.presented_before.store(presented, Ordering::Relaxed);
        }
    }

    /// Looks whether a credential names its session. Others pay one comparison.
    #[inline]
    pub(super) fn look_for_session(&self, credential: &Credential) {
        if self.sessions.state.load(Ordering::Relaxed) == LOOKING {
            self.look_closely_for_session(credential);
        }
    }

    #[cold]
    fn look_closely_for_session(&self, credential: &Credential) {
        if credential.keys().any(|key| key.kind() == KeyKind::Session) {
            self.sessions.state.store(SEEN, Ordering::Relaxed);
        }
    }

    /// Returns how many credentials came since a session was ended, if none of them named its session.
    pub(crate) fn without_sessions(&self) -> Option<u64> {
        let sessions = &self.sessions;
        let is_looking = sessions.state.load(Ordering::Relaxed) == LOOKING;
        let before = sessions.presented_before.load(Ordering::Relaxed);
        is_looking.then(|| self.presented().saturating_sub(before))
    }

    fn presented(&self) -> u64 {
        let verdicts = self.verdicts();
        verdicts.admit + verdicts.revoked + verdicts.unknown
    }
}

/// Whether enough requests came, for long enough, and none with a credential. One that cannot be read is one all the same.
pub(crate) fn is_never_presented(verdicts: &VerdictCounts, age: Duration) -> bool {
    let presented = verdicts.admit + verdicts.revoked + verdicts.unknown + verdicts.unreadable;
    presented == 0 && verdicts.anonymous >= ANONYMOUS_REQUESTS && age >= ANONYMOUS_TIME
}

/// Few enough for a service with little traffic, and more than somebody sends by hand, or probes send in an hour.
const ANONYMOUS_REQUESTS: u64 = 1_000;

/// At a start, clients that are not signed in may come first.
const ANONYMOUS_TIME: Duration = Duration::from_secs(60);
