//! The keys that sign, did so, or are about to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::jose::PublicKey;
use crate::list_server::signer::{Signer, jwk, thumbprint};

/// The keys of a server: one signs, and all of them are published.
pub(super) struct KeyRing {
    keys: Mutex<Keys>,
}

struct Keys {
    signing: Arc<Signer>,
    /// Those that take over, and when.
    next: Vec<(Instant, Arc<Signer>)>,
    /// Those that sign nothing, and until when they are published; `None` for ever.
    others: Vec<(Option<Instant>, PublicKey)>,
}

impl KeyRing {
    pub(super) const fn new(signing: Arc<Signer>) -> Self {
        Self {
            keys: Mutex::new(Keys {
                signing,
                next: Vec::new(),
                others: Vec::new(),
            }),
        }
    }

    /// Publishes another key.
    pub(super) fn publish(&self, key: PublicKey) {
        self.keys().others.push((None, key));
    }

    /// Publishes a key from now on, and has it sign from `at` on. A key that it takes over from is published for `stays` beyond that.
    pub(super) fn rotate(&self, signer: Signer, at: Instant, stays: Duration) {
        let mut keys = self.keys_at(Instant::now(), stays);
        keys.next.push((at, Arc::new(signer)));
        keys.next.sort_by_key(|(at, _)| *at);
    }

    /// Withdraws a key that signs nothing any more.
    pub(super) fn withdraw(&self, kid: &str) {
        let mut keys = self.keys();
        keys.others.retain(|(_, key)| thumbprint(key) != kid);
        keys.next.retain(|(_, signer)| signer.kid() != kid);
    }

    /// Returns the key that signs now.
    pub(super) fn signing(&self, now: Instant, stays: Duration) -> Arc<Signer> {
        Arc::clone(&self.keys_at(now, stays).signing)
    }

    /// Returns the JWK set of all keys.
    pub(super) fn published(&self, now: Instant, stays: Duration) -> String {
        let keys = self.keys_at(now, stays);
        let next = keys.next.iter().map(|(_, signer)| signer.public_key());
        let others = keys.others.iter().map(|(_, key)| key.clone());
        let mut jwks: Vec<_> = Vec::new();
        for key in [keys.signing.public_key()].into_iter().chain(next).chain(others) {
            let jwk = jwk(&key);
            if !jwks.contains(&jwk) {
                jwks.push(jwk);
            }
        }
        format!(r#"{{"keys":[{}]}}"#, jwks.join(","))
    }

    /// Locks the keys, once everything is done that was to be done by `now`.
    fn keys_at(&self, now: Instant, stays: Duration) -> MutexGuard<'_, Keys> {
        let mut keys = self.keys();
        while keys.next.first().is_some_and(|(at, _)| *at <= now) {
            let (at, signer) = keys.next.remove(0);
            let former = std::mem::replace(&mut keys.signing, signer);
            keys.others.push((Some(at + stays), former.public_key()));
        }
        keys.others.retain(|(until, _)| until.is_none_or(|until| until > now));
        keys
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAYS: Duration = Duration::from_secs(100);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_key_is_published_before_it_signs_and_as_long_as_what_it_signed_is_good() {
        let [one, two] = [(); 2].map(|()| Signer::generate().unwrap());
        let (one_id, two_id) = (one.kid().to_owned(), two.kid().to_owned());
        let start = Instant::now();
        let ring = KeyRing::new(Arc::new(one));
        let said = |at| {
            let published = ring.published(at, STAYS);
            let is_there = |kid: &str| published.contains(kid);
            (
                ring.signing(at, STAYS).kid().to_owned(),
                is_there(&one_id),
                is_there(&two_id),
            )
        };
        assert_eq!(said(start), (one_id.clone(), true, false));
        ring.rotate(two, start + 10 * SECOND, STAYS);
        assert_eq!(said(start), (one_id.clone(), true, true));
        assert_eq!(said(start + 9 * SECOND), (one_id.clone(), true, true));
        assert_eq!(said(start + 10 * SECOND), (two_id.clone(), true, true));
        assert_eq!(said(start + 109 * SECOND), (two_id.clone(), true, true));
        assert_eq!(said(start + 110 * SECOND), (two_id.clone(), false, true));
    }

    #[test]
    fn the_key_that_signs_is_not_withdrawn() {
        let [one, two, three] = [(); 3].map(|()| Signer::generate().unwrap());
        let kids: Vec<_> = [&one, &two, &three].map(|signer| signer.kid().to_owned()).into();
        let ring = KeyRing::new(Arc::new(one));
        let now = Instant::now();
        ring.publish(two.public_key());
        ring.rotate(three, now + SECOND, STAYS);
        assert!(kids.iter().all(|kid| ring.published(now, STAYS).contains(kid)));
        for kid in &kids {
            ring.withdraw(kid);
        }
        let left: Vec<_> = kids
            .iter()
            .map(|kid| ring.published(now, STAYS).contains(kid))
            .collect();
        assert_eq!(left, [true, false, false]);
        assert_eq!(ring.signing(now + SECOND, STAYS).kid(), kids[0]);
    }
}
