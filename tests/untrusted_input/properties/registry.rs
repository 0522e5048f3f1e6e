//! A registry whose key is known here, so that what it signs can be anything.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::json;
use tower_revocation::Timestamp;
use tower_revocation::crl::clawdentity::ClawdentityList;
use tower_revocation::crl::{KeySet, ListFormat};

pub(crate) const ISSUER: &str = "https://registry.example.com";

/// When all lists are read: those of the vectors are good then.
pub(crate) const NOW: Timestamp = Timestamp::from_unix_secs(1_795_406_460);

pub(crate) fn format() -> ClawdentityList {
    ClawdentityList::new(ISSUER)
}

pub(crate) fn signing_key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::from_bytes(&[7; 32]))
}

/// Its keys as it publishes them.
pub(crate) fn keys_document() -> Vec<u8> {
    let x = URL_SAFE_NO_PAD.encode(signing_key().verifying_key().as_bytes());
    let key = json!({ "kid": "k1", "alg": "EdDSA", "crv": "Ed25519", "x": x, "status": "active" });
    json!({ "keys": [key] }).to_string().into_bytes()
}

pub(crate) fn keys() -> &'static KeySet {
    static KEYS: OnceLock<KeySet> = OnceLock::new();
    KEYS.get_or_init(|| format().read_keys(&keys_document()).expect("the keys are good"))
}

/// A token that it signs.
pub(crate) fn sign(header: &[u8], payload: &[u8]) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = signing_key().sign(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

/// The document with a list of this payload.
pub(crate) fn document(payload: &[u8]) -> Vec<u8> {
    let token = sign(HEADER.as_bytes(), payload);
    format!(r#"{{"crl":"{token}"}}"#).into_bytes()
}

/// The payload of a list issued at `iat` that names these tokens.
pub(crate) fn payload(iat: u64, exp: u64, tokens: &[&str]) -> Vec<u8> {
    let entry = |jti: &&str| json!({ "jti": jti, "agentDid": super::world::MALLORY, "revokedAt": iat });
    let entries: Vec<_> = tokens.iter().map(entry).collect();
    json!({ "iss": ISSUER, "jti": "list", "iat": iat, "exp": exp, "revocations": entries })
        .to_string()
        .into_bytes()
}

pub(crate) const HEADER: &str = r#"{"alg":"EdDSA","typ":"CRL","kid":"k1"}"#;

/// Tokens that lists name.
pub(crate) const A: &str = "01KDVDNA09Q5HAD7MTFBDK3NYZ";
pub(crate) const B: &str = "01KDVDNA0CJGBR9K83VZA6KFGW";
