//! An issuer's signing keys.

use std::fmt;

use ed25519_dalek::{Signature, VerifyingKey};

use crate::crl::jws::VerifySignature;

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

    /// How many keys there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether there is a key of this id.
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
    pub const ALGORITHM: &'static str = "EdDSA";

    /// A key from its 32 bytes. `None` if they encode no point, or one of small order, under which anything can be
    /// made to verify.
    #[must_use]
    pub fn from_ed25519(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.try_into().ok()?;
        let key = VerifyingKey::from_bytes(bytes).ok()?;
        (!key.is_weak()).then_some(Self(key))
    }

    /// Strict verification: the encoding of the signature is canonical and no point has small order, so that one message
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
