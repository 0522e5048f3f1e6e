//! The signing keys of an issuer, as a JWK set.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tower_revocation::crl::open::OpenList;
use tower_revocation::crl::{ListFormat, PublicKey};

use super::registry::{ISSUER, signing_key};
use super::tree::Tree;
use super::world;

/// A set holds the Ed25519 keys for signatures that have an id, and no others; and none whose id two have.
pub(crate) fn check(input: &[u8]) {
    let keys = OpenList::new(ISSUER).read_keys(input);
    let Some(document) = Tree::read(input) else { return };
    let Some(Tree::List(published)) = document.get("keys") else {
        assert!(keys.is_err(), "there are no keys: {keys:?}");
        return;
    };
    let good: Vec<_> = published.iter().filter_map(key_id).collect();
    let is_ambiguous = (1..good.len()).any(|nth| good[..nth].contains(&good[nth]));
    let Ok(keys) = keys else { return };
    assert!(!is_ambiguous, "{good:?}");
    assert!(good.iter().all(|kid| keys.contains(kid)));
    assert_eq!(keys.len(), good.len());
}

/// The id of a key that may be used.
fn key_id(key: &Tree) -> Option<&str> {
    let is = |name, known: &[&str]| {
        key.get(name)
            .and_then(Tree::text)
            .is_some_and(|text| known.contains(&text))
    };
    let is_or_absent = |name, known: &[&str]| key.get(name).is_none() || is(name, known);
    let x = URL_SAFE_NO_PAD.decode(key.get("x")?.text()?).ok()?;
    let is_good = is("kty", &["OKP"])
        && is("crv", &["Ed25519"])
        && is_or_absent("alg", &["EdDSA", "Ed25519"])
        && is_or_absent("use", &["sig"])
        && PublicKey::from_ed25519(&x).is_some();
    key.get("kid")?.text().filter(|kid| is_good && !kid.is_empty())
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let x = URL_SAFE_NO_PAD.encode(signing_key().verifying_key().as_bytes());
    let key = |kid: &str| json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": "sig", "alg": "EdDSA" });
    let other = json!({ "kty": "RSA", "kid": "k1", "n": "AQAB", "e": "AQAB" });
    let mut seeds = world::vectors("keys", ".json");
    seeds.push(
        json!({ "keys": [key("k1"), other, key("k2")] })
            .to_string()
            .into_bytes(),
    );
    seeds.push(json!({ "keys": [key("k1"), key("k1")] }).to_string().into_bytes());
    seeds
}
