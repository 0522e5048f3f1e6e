//! An issuer's signing keys.

use crate::jose::algorithm::Algorithm;
use crate::jose::jws::VerifySignature;
use crate::jose::public_key::PublicKey;

/// An issuer's signing keys, by `kid`. Immutable, and cheap to share in an `Arc`.
///
/// Two keys of one `kid` are told apart by their algorithms ([RFC 7517 §4.5](https://www.rfc-editor.org/rfc/rfc7517#section-4.5));
/// where these are the same too, either verifies.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<(Option<Box<str>>, PublicKey)>,
}

impl KeySet {
    /// Adds a key. A `kid` added twice keeps its first key.
    #[must_use]
    pub fn with_key(mut self, kid: impl Into<String>, key: PublicKey) -> Self {
        let kid = kid.into();
        if !self.contains(&kid) {
            self.push(Some(kid.into()), key);
        }
        self
    }

    /// Adds a key, beside those that there are. Without a `kid` it verifies tokens that name none.
    pub(super) fn push(&mut self, kid: Option<Box<str>>, key: PublicKey) {
        self.keys.push((kid, key));
    }

    /// Returns how many keys there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns whether there is a key of this id.
    #[must_use]
    pub fn contains(&self, kid: &str) -> bool {
        self.keys.iter().any(|(known, _)| known.as_deref() == Some(kid))
    }

    /// Returns the keys that may have made a signature.
    fn candidates(&self, algorithm: Algorithm, kid: Option<&str>) -> impl Iterator<Item = &PublicKey> {
        let is_meant = move |known: &Option<Box<str>>| kid.is_none() || known.as_deref() == kid;
        self.keys
            .iter()
            .filter(move |(known, key)| is_meant(known) && key.is_for(algorithm))
            .map(|(_, key)| key)
            .take(MOST_TRIED)
    }
}

impl VerifySignature for KeySet {
    fn knows(&self, algorithm: Algorithm, kid: Option<&str>) -> bool {
        self.candidates(algorithm, kid).next().is_some()
    }

    fn verify(&self, algorithm: Algorithm, kid: Option<&str>, message: &[u8], signature: &[u8]) -> bool {
        self.candidates(algorithm, kid)
            .any(|key| key.verify(algorithm, message, signature))
    }
}

/// How many keys are tried for one signature: anybody can send a token that names none.
const MOST_TRIED: usize = 8;

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signature, Signer, SigningKey};

    use super::*;

    const MESSAGE: &[u8] = b"message";

    fn signing_key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn public_key(seed: u8) -> PublicKey {
        PublicKey::from_ed25519(signing_key(seed).verifying_key().as_bytes()).unwrap()
    }

    fn verifies(keys: &KeySet, kid: Option<&str>, signature: &[u8]) -> bool {
        keys.verify(Algorithm::EdDsa, kid, MESSAGE, signature)
    }

    #[test]
    fn verifies_with_the_named_key_under_its_own_algorithm() {
        let keys = KeySet::default()
            .with_key("k1", public_key(7))
            .with_key("k2", public_key(8))
            .with_key("k1", public_key(9));
        assert_eq!(keys.len(), 2, "the first key of an id stays");
        let signature = signing_key(7).sign(MESSAGE).to_bytes();
        assert!(verifies(&keys, Some("k1"), &signature));
        assert!(verifies(&keys, None, &signature), "any key may be meant");
        assert!(!verifies(&keys, Some("k2"), &signature));
        assert!(!verifies(&keys, Some("k3"), &signature));
        assert!(!verifies(&keys, Some(""), &signature));
        assert!(!verifies(&keys, Some("k1"), &signature[1..]));
        assert!(!keys.verify(Algorithm::EdDsa, Some("k1"), b"massage", &signature));
        for algorithm in Algorithm::ALL {
            let is_its_own = algorithm == Algorithm::EdDsa;
            assert_eq!(
                keys.verify(algorithm, Some("k1"), MESSAGE, &signature),
                is_its_own,
                "{algorithm}"
            );
            assert_eq!(keys.knows(algorithm, Some("k1")), is_its_own, "{algorithm}");
            assert_eq!(keys.knows(algorithm, None), is_its_own, "{algorithm}");
        }
    }

    #[test]
    fn tries_no_more_keys_than_eight() {
        let mut keys = KeySet::default();
        for seed in 0..9 {
            keys.push(None, public_key(seed));
        }
        let by = |seed| signing_key(seed).sign(MESSAGE).to_bytes();
        assert!(verifies(&keys, None, &by(7)));
        assert!(!verifies(&keys, None, &by(8)));
    }

    #[test]
    fn takes_no_key_and_no_signature_of_small_order() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(PublicKey::from_ed25519(&identity).is_none());
        assert!(PublicKey::from_ed25519(&identity[1..]).is_none());
        // Its R is the identity and its s is computed with the key, so that lax verification takes it.
        let s = [
            0xd4, 0xc5, 0x32, 0x31, 0x31, 0xff, 0x96, 0x83, 0xcf, 0xb3, 0xd3, 0x01, 0x97, 0xc7, 0x86, 0xc9, 0x04, 0x3f,
            0x10, 0x52, 0xd6, 0xc2, 0xd5, 0x29, 0x3f, 0x19, 0xd6, 0xf3, 0x6b, 0x91, 0x11, 0x04,
        ];
        let signature = [identity, s].concat();
        let lax = Signature::from_slice(&signature).unwrap();
        assert!(ed25519_dalek::Verifier::verify(&signing_key(7).verifying_key(), MESSAGE, &lax).is_ok());
        assert!(!public_key(7).verify(Algorithm::EdDsa, MESSAGE, &signature));
    }
}
