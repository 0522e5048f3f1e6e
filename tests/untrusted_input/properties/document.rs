//! Documents as a registry publishes them, or whoever stands in between.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use http::StatusCode;
use tower_revocation::crl::{KeySet, ListFormat};

use super::registry::{self, NOW, format};
use super::tree::Tree;
use super::world;

/// A list that is accepted is one that one of the known keys signed, to the letter. That there is none yet is believed in one
/// form alone.
pub(crate) fn check(input: &[u8]) {
    let (keys, public) = &*KNOWN_KEYS;
    if let Ok(list) = format().read_list(input, keys, NOW) {
        let token = token_of(input).expect("a list is in its place");
        assert!(
            public.iter().any(|key| is_signed(&token, key)),
            "an unsigned list: {token}"
        );
        assert!(list.entries() > 0);
        // Any other character, wherever it stands.
        let at = input.iter().fold(0, |sum, byte| sum + usize::from(*byte)) % token.len();
        for other in ['A', 'z', '-', '.', '='] {
            let mut changed = token.clone();
            changed.replace_range(at..=at, &other.to_string());
            let body = serde_json::json!({ "crl": changed }).to_string();
            let read = format().read_list(body.as_bytes(), keys, NOW);
            assert_eq!(read.is_ok(), changed == token, "{changed}");
        }
    }
    assert!(
        format().read_list(input, &KeySet::default(), NOW).is_err(),
        "without a key"
    );
    let code = |body: &Tree| Some(body.get("error")?.get("code")?.text()? == "CRL_NOT_FOUND");
    if format().is_none_yet(StatusCode::NOT_FOUND, input) {
        // One that is too deep for this reader may say it as well.
        assert_ne!(Tree::read(input).map(|body| code(&body)), Some(None));
        assert_ne!(Tree::read(input).map(|body| code(&body)), Some(Some(false)));
    }
    assert!(!format().is_none_yet(StatusCode::OK, input));
}

fn is_signed(token: &str, key: &VerifyingKey) -> bool {
    let Some((message, signature)) = token.rsplit_once('.') else {
        return false;
    };
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    Signature::from_slice(&signature).is_ok_and(|signature| key.verify_strict(message.as_bytes(), &signature).is_ok())
}

fn token_of(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Document {
        crl: String,
    }
    serde_json::from_slice::<Document>(body)
        .ok()
        .map(|document| document.crl)
}

static KNOWN_KEYS: LazyLock<(KeySet, Vec<VerifyingKey>)> = LazyLock::new(known_keys);

/// Those of the vectors, and the one that is known here.
fn known_keys() -> (KeySet, Vec<VerifyingKey>) {
    let published = world::vectors("keys", "claw-keys.json").remove(0);
    let mut public = Vec::new();
    let mut all = Vec::new();
    for document in [published, registry::keys_document()] {
        let document: serde_json::Value = serde_json::from_slice(&document).expect("it is JSON");
        for key in document["keys"].as_array().expect("there are keys") {
            let x = URL_SAFE_NO_PAD
                .decode(key["x"].as_str().unwrap_or_default())
                .expect("it is base64url");
            let x: [u8; 32] = x.try_into().expect("it has 32 bytes");
            public.push(VerifyingKey::from_bytes(&x).expect("it is a key"));
            all.push(key.clone());
        }
    }
    let keys = serde_json::json!({ "keys": all }).to_string();
    (format().read_keys(keys.as_bytes()).expect("they are good"), public)
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = world::vectors("crl", ".json");
    seeds.extend(world::vectors("crl/response", ".txt"));
    seeds.retain(|body| body.len() < 8192);
    seeds.push(registry::document(&registry::payload(1, 4_000_000_000, &[registry::A])));
    seeds.push(br#"{"error":{"code":"CRL_NOT_FOUND","message":"CRL snapshot is not available"}}"#.to_vec());
    seeds
}
