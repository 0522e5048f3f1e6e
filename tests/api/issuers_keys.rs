//! Tokens that real issuers signed, and the keys that they publish.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tower_revocation::jose::{Algorithm, JwsPolicy, KeySet};

fn issuers() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/oidc");
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

fn keys(issuer: &Path) -> KeySet {
    let recorded: Value = serde_json::from_slice(&fs::read(issuer.join("jwks.json")).unwrap()).unwrap();
    // Of some, the whole answer is recorded.
    let set = recorded.get("body").unwrap_or(&recorded);
    KeySet::from_jwk_set(set.to_string().as_bytes()).unwrap()
}

/// The signed documents of an issuer: tokens, and those in the body of a request.
fn tokens(issuer: &Path) -> Vec<(String, String)> {
    let mut tokens = Vec::new();
    for entry in fs::read_dir(issuer).unwrap() {
        let path = entry.unwrap().path();
        let name = path
            .strip_prefix(issuer.parent().unwrap())
            .unwrap()
            .display()
            .to_string();
        let text = || fs::read_to_string(&path).unwrap();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("jwt") => tokens.push((name, text().trim().to_owned())),
            Some("post") => {
                let text = text();
                let body = text.rsplit(['\r', '\n']).find(|line| !line.trim().is_empty()).unwrap();
                let token = body.split('&').find_map(|field| field.strip_prefix("logout_token="));
                tokens.push((name, token.unwrap_or(body).trim().to_owned()));
            }
            _ => {}
        }
    }
    assert!(!tokens.is_empty(), "{}", issuer.display());
    tokens
}

#[test]
fn every_token_is_verified_by_the_keys_of_its_issuer_and_by_no_others() {
    let policy = JwsPolicy::new(Algorithm::ALL);
    let issuers = issuers();
    let (mut verified, mut symmetric) = (0, 0);
    for issuer in &issuers {
        for (name, token) in tokens(issuer) {
            if token.starts_with("eyJ") && token.matches('.').count() == 2 {
                match policy.verify(&token, &keys(issuer)) {
                    Ok(payload) => {
                        assert!(serde_json::from_slice::<Value>(&payload).is_ok(), "{name}");
                        verified += 1;
                    }
                    Err(error) => {
                        assert!(name.contains("-hs."), "{name}: {error}");
                        assert!(
                            error
                                .to_string()
                                .starts_with("header.alg is HS256, whose key is a secret"),
                            "{name}: {error}"
                        );
                        symmetric += 1;
                    }
                }
                for other in issuers.iter().filter(|other| *other != issuer) {
                    assert!(policy.verify(&token, &keys(other)).is_err(), "{name}");
                }
            }
        }
    }
    assert_eq!((verified, symmetric), (95, 2), "all of them were looked at");
}

#[test]
fn nothing_that_was_changed_is_verified() {
    let policy = JwsPolicy::new(Algorithm::ALL);
    let mut kinds = std::collections::BTreeSet::new();
    for issuer in issuers() {
        let keys = keys(&issuer);
        for (name, token) in tokens(&issuer) {
            if policy.verify(&token, &keys).is_err() || !kinds.insert((issuer.clone(), token.len() / 100)) {
                continue;
            }
            for at in (0..token.len()).step_by(7) {
                let mut changed = token.clone().into_bytes();
                changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
                let changed = String::from_utf8(changed).unwrap();
                // The last character of a part may have bits that no byte has.
                assert!(policy.verify(&changed, &keys).is_err(), "{name} at {at}");
            }
            for length in (0..token.len()).step_by(11) {
                assert!(policy.verify(&token[..length], &keys).is_err(), "{name} to {length}");
            }
        }
    }
}

/// Keycloak publishes a key to encrypt with, which verifies nothing.
#[test]
fn only_keys_for_signatures_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/oidc/keycloak");
    let read = |file| KeySet::from_jwk_set(&fs::read(folder.join(file)).unwrap()).unwrap();
    assert_eq!(read("jwks-first.json").len(), 1);
    assert_eq!(
        read("jwks.json").len(),
        2,
        "the key of ES256 came with the first login that needed it"
    );
}

#[test]
fn a_policy_takes_its_own_algorithms_and_types_alone() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/oidc/better-auth");
    let token = fs::read_to_string(folder.join("access-jwt.jwt")).unwrap();
    let refused = |policy: JwsPolicy| {
        policy
            .verify(token.trim(), &keys(&folder))
            .map_err(|error| error.to_string())
    };
    let edwards = || JwsPolicy::new([Algorithm::EdDsa]);
    assert!(refused(edwards()).is_ok());
    for types in [["at+jwt"], ["AT+JWT"], ["application/at+jwt"]] {
        assert!(refused(edwards().with_types(types)).is_ok(), "{types:?}");
    }
    assert_eq!(
        refused(edwards().with_types(["logout+jwt", "JWT"]).or_untyped()).unwrap_err(),
        "header.typ is not logout+jwt or JWT"
    );
    assert_eq!(
        refused(JwsPolicy::new([Algorithm::Rs256, Algorithm::Es256])).unwrap_err(),
        "header.alg is not RS256 or ES256"
    );
    assert!(refused(JwsPolicy::new([])).is_err());
}

/// Signed by another implementation, under each algorithm.
#[test]
fn each_algorithm_is_verified_by_keys_for_it_alone() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/jose/algorithms.json");
    let vectors: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let keys = KeySet::from_jwk_set(vectors["jwks"].to_string().as_bytes()).unwrap();
    assert_eq!(
        keys.len(),
        5,
        "a modulus of 1024 bits and a point off its curve are left out"
    );
    let mut seen = std::collections::BTreeSet::new();
    for vector in vectors["good"].as_array().unwrap() {
        let (name, token) = (vector["alg"].as_str().unwrap(), vector["token"].as_str().unwrap());
        let algorithm = Algorithm::from_name(name).unwrap();
        let payload = JwsPolicy::new([algorithm]).verify(token, &keys).unwrap();
        assert_eq!(payload, format!(r#"{{"said":"{name}"}}"#).into_bytes());
        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            assert!(
                JwsPolicy::new([other]).verify(token, &keys).is_err(),
                "{name} by {other}"
            );
        }
        seen.insert(name);
    }
    assert_eq!(seen.len(), Algorithm::ALL.len());
    for vector in vectors["bad"].as_array().unwrap() {
        let token = vector["token"].as_str().unwrap();
        assert!(
            JwsPolicy::new(Algorithm::ALL).verify(token, &keys).is_err(),
            "{}",
            vector["why"]
        );
    }
}
