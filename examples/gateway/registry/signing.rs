//! The registry's signing keys.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use serde::Serialize;
use serde_json::{Value, json};

/// Two keys, as while one replaces the other.
pub(crate) struct SigningKeys([(&'static str, SigningKey); 2]);

impl SigningKeys {
    pub(crate) fn generate() -> Self {
        let key = || SigningKey::generate(&mut rand::rng());
        Self([("reg-key-1", key()), ("reg-key-2", key())])
    }

    /// Signs a document of the given type with one of the keys: a JWS in compact serialization.
    pub(crate) fn sign(&self, typ: &str, claims: &impl Serialize, turn: usize) -> String {
        let (kid, key) = &self.0[turn % self.0.len()];
        let part = |value: Vec<u8>| URL_SAFE_NO_PAD.encode(value);
        let header = part(json!({ "alg": "EdDSA", "typ": typ, "kid": kid }).to_string().into());
        let payload = part(serde_json::to_vec(claims).expect("claims are strings and numbers"));
        let message = format!("{header}.{payload}");
        let signature = part(key.sign(message.as_bytes()).to_vec());
        format!("{message}.{signature}")
    }

    /// The public halves, as they are published.
    pub(crate) fn publish(&self) -> Value {
        let keys = self.0.iter().map(|(kid, key)| {
            let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
            json!({ "kid": kid, "alg": "EdDSA", "crv": "Ed25519", "x": x, "status": "active" })
        });
        json!({ "keys": keys.collect::<Vec<_>>() })
    }
}

/// A public key for an agent that will never sign anything.
pub(crate) fn agent_key() -> String {
    let key = SigningKey::generate(&mut rand::rng());
    URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes())
}
