//! The signing keys of an issuer, as a JWK set.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tower_revocation::crl::ListFormat;
use tower_revocation::crl::open::OpenList;
use tower_revocation::jose::PublicKey;

use super::registry::{ISSUER, signing_key};
use super::tree::Tree;
use super::world;

/// A set holds the keys for signatures that can be used, and no others.
pub(crate) fn check(input: &[u8]) {
    let keys = OpenList::new(ISSUER).read_keys(input);
    let Some(document) = Tree::read(input) else { return };
    let Some(Tree::List(published)) = document.get("keys") else {
        assert!(keys.is_err(), "there are no keys: {keys:?}");
        return;
    };
    let Ok(keys) = keys else { return };
    let good: Vec<_> = published.iter().filter(|key| is_usable(key)).collect();
    assert_eq!(keys.len(), good.len());
    let mut ids = good.iter().filter_map(|key| key.get("kid")?.text());
    assert!(ids.all(|kid| keys.contains(kid)));
}

/// Whether a key may be used.
fn is_usable(key: &Tree) -> bool {
    let is_absent = |name| matches!(key.get(name), None | Some(Tree::Null));
    let is = |name, known: &[&str]| {
        key.get(name)
            .and_then(Tree::text)
            .is_some_and(|text| known.contains(&text))
    };
    let bytes = |name| URL_SAFE_NO_PAD.decode(key.get(name)?.text()?).ok();
    let point = || bytes("x").zip(bytes("y"));
    let on_p256 = |x: &[u8], y: &[u8]| match (x.try_into(), y.try_into()) {
        (Ok(x), Ok(y)) => PublicKey::from_p256(x, y).is_some(),
        _ => false,
    };
    let on_p384 = |x: &[u8], y: &[u8]| match (x.try_into(), y.try_into()) {
        (Ok(x), Ok(y)) => PublicKey::from_p384(x, y).is_some(),
        _ => false,
    };
    let algorithms: &[&str] = match key.get("kty").and_then(Tree::text) {
        Some("OKP") if is("crv", &["Ed25519"]) && bytes("x").is_some_and(|x| PublicKey::from_ed25519(&x).is_some()) => {
            &["EdDSA", "Ed25519"]
        }
        Some("EC") if is("crv", &["P-256"]) && point().is_some_and(|(x, y)| on_p256(&x, &y)) => &["ES256"],
        Some("EC") if is("crv", &["P-384"]) && point().is_some_and(|(x, y)| on_p384(&x, &y)) => &["ES384"],
        Some("RSA")
            if bytes("n")
                .zip(bytes("e"))
                .is_some_and(|(n, e)| PublicKey::from_rsa(&n, &e).is_some()) =>
        {
            &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
        }
        _ => return false,
    };
    (is_absent("alg") || is("alg", algorithms))
        && (is_absent("use") || is("use", &["sig"]))
        && (is_absent("kid") || key.get("kid").and_then(Tree::text).is_some_and(|kid| !kid.is_empty()))
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let x = URL_SAFE_NO_PAD.encode(signing_key().verifying_key().as_bytes());
    let key = |kid: &str| json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": "sig", "alg": "EdDSA" });
    let other = json!({ "kty": "RSA", "kid": "k1", "n": "AQAB", "e": "AQAB" });
    let curve = json!({ "kty": "EC", "crv": "P-256", "kid": "k3", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" });
    let rsa =
        json!({ "kty": "RSA", "kid": "k4", "alg": "RS256", "n": URL_SAFE_NO_PAD.encode([0xff; 256]), "e": "AQAB" });
    let mut seeds = world::vectors("keys", ".json");
    seeds.push(json!({ "keys": [curve, rsa] }).to_string().into_bytes());
    seeds.push(
        json!({ "keys": [key("k1"), other, key("k2")] })
            .to_string()
            .into_bytes(),
    );
    seeds.push(json!({ "keys": [key("k1"), key("k1")] }).to_string().into_bytes());
    seeds
}
