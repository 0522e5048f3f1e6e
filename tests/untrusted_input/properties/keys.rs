//! The signing keys that a registry publishes.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tower_revocation::crl::ListFormat;

use super::registry::{self, NOW, format};
use super::tree::Tree;
use super::world;

/// A set holds the keys that are active, all of which are keys, and none that was revoked or is not understood; and it verifies
/// nothing that none of them signed.
pub(crate) fn check(input: &[u8]) {
    let Ok(keys) = format().read_keys(input) else { return };
    let Some(document) = Tree::read(input) else {
        // It is deep where nobody looks.
        return;
    };
    let Some(Tree::List(published)) = document.get("keys") else {
        panic!("there are no keys: {keys:?}");
    };
    let mut active = 0;
    for (index, key) in published.iter().enumerate() {
        let text = |name| key.get(name).and_then(Tree::text).unwrap_or_default();
        let kid = text("kid");
        assert!(!kid.is_empty());
        let is_understood = (text("alg"), text("crv")) == ("EdDSA", "Ed25519");
        assert!(!is_understood || URL_SAFE_NO_PAD.decode(text("x")).map(|x| x.len()) == Ok(32));
        let others = published[..index].iter().filter_map(|key| key.get("kid")?.text());
        assert!(others.into_iter().all(|other| other != kid), "{kid} is there twice");
        assert_eq!(keys.contains(kid), is_understood && text("status") == "active", "{kid}");
        active += usize::from(keys.contains(kid));
    }
    assert_eq!(keys.len(), active);
    static OURS: LazyLock<Vec<u8>> =
        LazyLock::new(|| registry::document(&registry::payload(1, 4_000_000_000, &[registry::A])));
    let x = URL_SAFE_NO_PAD.encode(registry::signing_key().verifying_key().as_bytes());
    let is_ours = |key: &Tree| {
        let is = |name, value| key.get(name).and_then(Tree::text) == Some(value);
        let is_understood = is("alg", "EdDSA") && is("crv", "Ed25519");
        is_understood && is("kid", "k1") && is("x", x.as_str()) && is("status", "active")
    };
    let is_verified = format().read_list(&OURS, &keys, NOW).is_ok();
    assert_eq!(is_verified, published.iter().any(is_ours));
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = world::vectors("keys", ".json");
    seeds.push(registry::keys_document());
    seeds
}
