//! An issuer's signing keys.

use std::fmt;

use ed25519_dalek::{Signature, VerifyingKey};

use crate::crl::jws::{self, VerifySignature};

/// An issuer's signing keys, by `kid`. Immutable, and cheap to share in an `Arc`.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<(String, PublicKey)>,
}

impl KeySet {
    /// Adds a key. A `kid` added twice keeps its first key.
    #[must_use]
    pub fn with_key(mut self, kid: impl Into<String>, key: PublicKey) -> Self {
        let kid = kid.into();
        if self.get(&kid).is_none() {
            self.keys.push((kid, key));
        }
        self
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
        self.get(kid).is_some()
    }

    fn get(&self, kid: &str) -> Option<&PublicKey> {
        self.keys.iter().find(|(known, _)| known == kid).map(|(_, key)| key)
    }
}

impl VerifySignature for KeySet {
    fn knows(&self, kid: &str) -> bool {
        self.contains(kid)
    }

    fn verify(&self, algorithm: &str, kid: &str, message: &[u8], signature: &[u8]) -> bool {
        match (algorithm, self.get(kid)) {
            (PublicKey::ALGORITHM, Some(key)) => key.verify(message, signature),
            _ => false,
        }
    }
}

/// An Ed25519 public key ([RFC 8032](https://www.rfc-editor.org/rfc/rfc8032)).
#[derive(Clone, Copy)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// The algorithm's name in a JOSE header ([RFC 8037 §3.1](https://www.rfc-editor.org/rfc/rfc8037#section-3.1)).
    pub const ALGORITHM: &'static str = jws::ALGORITHM;

    /// Creates a key from its 32 bytes. `None` if they encode no point, or one of small order, with which anything can be
    /// made to verify.
    #[must_use]
    pub fn from_ed25519(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.try_into().ok()?;
        let key = VerifyingKey::from_bytes(bytes).ok()?;
        (!key.is_weak()).then_some(Self(key))
    }

    /// Returns its 32 bytes.
    #[must_use]
    pub fn to_ed25519(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Returns the key that verifies what this one signs.
    #[cfg(feature = "cloudevents")]
    pub(crate) fn of_signing(key: &ed25519_dalek::SigningKey) -> Self {
        Self(key.verifying_key())
    }

    /// Verifies strictly: the encoding of the signature is canonical and no point has small order, so that one message
    /// has one signature (the checks of [RFC 8032 §5.1.7](https://www.rfc-editor.org/rfc/rfc8032#section-5.1.7)
    /// and more).
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| self.0.verify_strict(message, &signature).is_ok())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(Ed25519)")
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    const MESSAGE: &[u8] = b"message";

    fn signing_key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn public_key(seed: u8) -> PublicKey {
        PublicKey::from_ed25519(signing_key(seed).verifying_key().as_bytes()).unwrap()
    }

    #[test]
    fn verifies_with_the_named_key_under_its_own_algorithm() {
        let keys = KeySet::default()
            .with_key("k1", public_key(7))
            .with_key("k2", public_key(8))
            .with_key("k1", public_key(9));
        assert_eq!(keys.len(), 2, "the first key of an id stays");
        let signature = signing_key(7).sign(MESSAGE).to_bytes();
        assert!(keys.verify("EdDSA", "k1", MESSAGE, &signature));
        assert!(!keys.verify("EdDSA", "k2", MESSAGE, &signature));
        assert!(!keys.verify("EdDSA", "k3", MESSAGE, &signature));
        assert!(!keys.verify("EdDSA", "k1", b"massage", &signature));
        assert!(!keys.verify("EdDSA", "k1", MESSAGE, &signature[1..]));
        for algorithm in ["none", "HS256", "eddsa", ""] {
            assert!(!keys.verify(algorithm, "k1", MESSAGE, &signature), "{algorithm}");
        }
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
        assert!(ed25519_dalek::Verifier::verify(&public_key(7).0, MESSAGE, &lax).is_ok());
        assert!(!public_key(7).verify(MESSAGE, &signature));
    }
}
