//! The decision about a request.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use crate::common::log;
use crate::domain::counters::Outcome;
use crate::domain::trust_domain::TrustDomain;
use crate::model::credential::{Credential, Identity, TOO_MANY_KEYS};
use crate::model::policy::StalePolicy;
use crate::model::refusal::Refusal;
use crate::model::verdict::Freshness;
use crate::state::view::Decision;

impl TrustDomain {
    /// Decides whether to refuse a request, and counts it. Leaves in `identity` what counts of it, for those who watch over the work.
    pub(crate) fn decide(&self, identity: &mut Identity) -> Decision {
        match identity {
            Identity::Anonymous => self.without_credential(Outcome::Anonymous, Refusal::Missing),
            Identity::Unreadable(problem) => {
                self.without_credential(Outcome::Unreadable, Refusal::Unreadable { problem })
            }
            Identity::Partial(credential, problem) => self.by_credential(credential, Some(*problem)),
            Identity::Presented(credential) => self.by_credential(credential, None),
        }
    }

    /// Decides by a credential, and by the other one beside it if that cannot be read.
    fn by_credential(&self, credential: &mut Credential, unreadable: Option<&'static str>) -> Decision {
        let unacceptable = self.examine(credential);
        self.look_for_session(credential);
        let mut decision = self.store.decide(credential);
        decision.list.is_of_credential = true;
        let is_stale = decision.list.freshness != Freshness::Fresh;
        if is_stale != self.was_stale.load(Ordering::Relaxed) {
            self.log_transition(decision.list.freshness);
        }
        let mut outcome = match decision.refusal {
            Some(Refusal::Revoked(why)) => Outcome::from(why.source),
            _ if is_stale => Outcome::Unknown,
            _ => Outcome::Admit,
        };
        if let (None, Some(problem)) = (decision.refusal, unacceptable.or(unreadable)) {
            outcome = Outcome::Unreadable;
            decision.refusal = Some(Refusal::Unreadable { problem });
            // What was not looked at may be revoked.
            decision.is_binding = unacceptable.is_some() || problem == TOO_MANY_KEYS;
        }
        self.counters.decided(outcome);
        decision
    }

    fn without_credential(&self, outcome: Outcome, refusal: Refusal) -> Decision {
        let count = self.counters.decided(outcome);
        if outcome == Outcome::Anonymous {
            self.suspect(count);
        }
        Decision {
            refusal: Some(refusal),
            list: self.store.look(|state| state.freshness(Instant::now())),
            // Work without a credential is not watched.
            version: 0,
            is_binding: false,
        }
    }

    #[cold]
    fn log_transition(&self, freshness: Freshness) {
        let is_stale = freshness != Freshness::Fresh;
        // If several requests see the change at the same time, one logs it.
        if self.was_stale.swap(is_stale, Ordering::Relaxed) == is_stale {
            return;
        }
        match (freshness, self.store.look(|state| state.stale())) {
            (Freshness::Fresh, _) => log::info!("revocation list is fresh again"),
            (Freshness::FeedUnread, StalePolicy::FailClosed) => {
                log::warn!("feed is not read yet: refusing credentials that nothing is known against");
            }
            (Freshness::FeedUnread, StalePolicy::FailOpen) => {
                log::warn!("feed is not read yet: admitting credentials that may be revoked");
            }
            (_, StalePolicy::FailClosed) => {
                log::warn!("no fresh revocation list: refusing credentials that nothing is known against");
            }
            (_, StalePolicy::FailOpen) => {
                log::warn!("no fresh revocation list: admitting credentials that may be revoked");
            }
        }
    }
}
