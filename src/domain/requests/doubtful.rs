//! Credentials that are not as they should be, and what is made of them.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use crate::common::log;
use crate::domain::trust_domain::TrustDomain;
use crate::model::credential::{Credential, TOO_MANY_KEYS};
use crate::model::policy::FutureIssuedAt;
use crate::model::verdict::Verdict;

impl TrustDomain {
    /// Takes from a credential what cannot be believed, which is its date, and what is too much, which are keys. Returns why the
    /// request is to be refused whatever is known of these, if it is.
    ///
    /// Others pay two comparisons. Only a date later than all times that were seen takes a look at the clock: about one request a
    /// second, if tokens are issued all the time.
    #[inline]
    pub(super) fn examine(&self, credential: &mut Credential) -> Option<&'static str> {
        let is_ordinary = (1..=Credential::MOST_KEYS).contains(&credential.len()) && !self.is_news(credential);
        match is_ordinary {
            true => None,
            false => self.examine_closely(credential),
        }
    }

    /// Says what is known of a credential that is not a request's. Its date is believed as a request's is.
    pub(crate) fn verdict(&self, credential: &Credential) -> Verdict {
        if self.is_ahead(credential) {
            let mut undated = credential.clone();
            undated.set_issued_at(None);
            return self.store.verdict(&undated);
        }
        self.store.verdict(credential)
    }

    /// Whether a credential says that it was issued later than now, by more than the clocks may differ.
    pub(crate) fn is_ahead(&self, credential: &Credential) -> bool {
        self.is_news(credential) && self.is_ahead_of_clock(credential)
    }

    /// Whether a credential was issued later than the clock was read last.
    #[inline]
    fn is_news(&self, credential: &Credential) -> bool {
        let seen = self.seen_time.load(Ordering::Relaxed);
        credential.issued_at().is_some_and(|at| at.as_unix_millis() > seen)
    }

    #[cold]
    fn is_ahead_of_clock(&self, credential: &Credential) -> bool {
        let now = self.now();
        let leeway = self.store.look(|state| state.policy.leeway);
        credential.issued_at() > Some(now.saturating_add(leeway))
    }

    #[cold]
    fn examine_closely(&self, credential: &mut Credential) -> Option<&'static str> {
        let mut refused = None;
        if credential.len() > Credential::MOST_KEYS {
            credential.truncate(Credential::MOST_KEYS);
            refused = Some(TOO_MANY_KEYS);
        }
        let age = || self.age(Instant::now());
        if credential.len() == 0 && self.doubtful.without_keys.count(age()) {
            log::warn!("credentials without any key are presented: only a revocation of everything reaches them");
        }
        if self.is_ahead(credential) {
            // It cannot show that it is newer than a cut-off.
            credential.set_issued_at(None);
            if self.doubtful.issued_in_future.count(age()) {
                log::warn!(
                    "credentials are presented that say they were issued in the future: any cut-off on their keys refuses them"
                );
            }
            if self.store.look(|state| state.policy.future_issued_at) == FutureIssuedAt::Refuse {
                refused = refused.or(Some(FROM_FUTURE));
            }
        }
        refused
    }
}

const FROM_FUTURE: &str = "credential is issued in the future";

#[cfg(test)]
mod tests {
    use super::*;

    /// A word about a number has to be true.
    #[test]
    fn says_how_many_keys_are_too_many() {
        assert!(TOO_MANY_KEYS.contains(&format!("more than {} keys", Credential::MOST_KEYS)));
    }
}
