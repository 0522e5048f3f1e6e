//! Clawdentity's revocation lists and key sets, each with the clock pinned where the verdict was given.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use tower_revocation::crl::clawdentity::ClawdentityList;
use tower_revocation::crl::{KeySet, ListError, ListFormat};
use tower_revocation::{EventSink, InstallError, RevocationLayer, RevocationList, Timestamp};

use crate::clawdentity_vectors::{Index, read};

/// The field that the refusal of a list has to name.
const REFUSED: [(&str, &str); 35] = [
    ("crl/bad-alg-none-signed.json", "header.alg"),
    ("crl/bad-empty-string.json", "token"),
    ("crl/bad-entry-did-didweb.json", "revocations[0].agentDid"),
    ("crl/bad-entry-did-single-label.json", "revocations[0].agentDid"),
    ("crl/bad-entry-did-trailing-space.json", "revocations[0].agentDid"),
    ("crl/bad-entry-jti-25.json", "revocations[0].jti"),
    ("crl/bad-entry-jti-ambiguous-letters.json", "revocations[0].jti"),
    ("crl/bad-entry-jti-lowercase.json", "revocations[0].jti"),
    ("crl/bad-exp-before-iat.json", "exp"),
    ("crl/bad-exp-float.json", "exp"),
    ("crl/bad-exp-missing.json", "exp"),
    ("crl/bad-expired.json", "exp"),
    ("crl/bad-foreign-authority-one-of-three.json", "revocations[1].agentDid"),
    ("crl/bad-four-parts.json", "token"),
    ("crl/bad-iat-string.json", "iat"),
    ("crl/bad-iss-empty.json", "iss"),
    ("crl/bad-iss-ftp.json", "iss"),
    ("crl/bad-iss-http.json", "iss"),
    ("crl/bad-iss-ipv6.json", "iss"),
    ("crl/bad-iss-no-scheme.json", "iss"),
    ("crl/bad-iss-other.json", "iss"),
    ("crl/bad-iss-userinfo.json", "iss"),
    ("crl/bad-kid-empty.json", "header.kid"),
    ("crl/bad-payload-not-json.json", "payload"),
    ("crl/bad-payload-null.json", "payload"),
    ("crl/bad-reason-number.json", "revocations[0].reason"),
    ("crl/bad-revokedAt-float.json", "revocations[0].revokedAt"),
    ("crl/bad-revokedAt-missing.json", "revocations[0].revokedAt"),
    ("crl/bad-tampered-payload.json", "signature"),
    ("crl/bad-typ-jwt.json", "header.typ"),
    ("crl/bad-typ-missing.json", "header.typ"),
    ("crl/bad-unknown-kid.json", "header.kid"),
    ("crl/crl-ttl390.json", "exp"),
    ("live/crl/crl-1-reissued-only.json", "exp"),
    ("live/crl/crl-3-live.json", "exp"),
];

/// Where Clawdentity is stricter or laxer than a verifier has to be, we refuse. Which field, and why.
const QUIRKS: [(&str, &str); 6] = [
    // Clawdentity refuses, and so do we. A list that is empty contradicts the registry's own 404.
    ("crl/bad-empty-revocations.json", "revocations"),
    // A member that is not known may say that this is not the whole list (this one is called `next`).
    ("crl/bad-extra-claim.json", "payload"),
    // One bad entry refuses the list: to leave it out might be to leave out a revocation.
    ("crl/bad-foreign-authority-one-of-three.json", "revocations[1].agentDid"),
    // Issuers are compared to the letter (RFC 7519 §4.1.1), and so are types.
    ("crl/bad-iss-trailing-slash.json", "iss"),
    ("crl/bad-typ-application.json", "header.typ"),
    // Clawdentity takes the last of the two; a signed document that says two things is refused (RFC 7519 §4).
    ("crl/odd-duplicate-json-keys.json", "payload"),
];

fn secs(secs: u64) -> Timestamp {
    Timestamp::from_unix_secs(secs)
}

fn format() -> ClawdentityList {
    ClawdentityList::new("https://registry.example.com")
}

fn keys() -> KeySet {
    format().read_keys(&read("keys/claw-keys.json")).unwrap()
}

fn field(error: &ListError) -> &str {
    match error {
        ListError::Invalid { field, .. } => field,
        ListError::UnknownKey { .. } => "header.kid",
        _ => panic!("{error}"),
    }
}

fn list(file: &str) -> RevocationList {
    format().read_list(&read(file), &keys(), secs(1_795_407_531)).unwrap()
}

/// A sink whose clock is no matter: the lists' times are fixed, the machine's is not.
fn sink() -> EventSink {
    let (_layer, sink) = RevocationLayer::pair(());
    sink.configure(|config| config.with_leeway(Duration::from_secs(100 * 365 * 24 * 60 * 60)));
    sink
}

#[test]
fn decides_on_every_list_as_clawdentity_does() {
    let index = Index::read();
    assert_eq!(index.key_set, "keys/claw-keys.json");
    let format = ClawdentityList::new(index.issuer.clone());
    let keys = keys();
    let (refused, quirks) = (BTreeMap::from(REFUSED), BTreeMap::from(QUIRKS));
    let mut seen = BTreeMap::<&str, usize>::new();
    let mut named = BTreeSet::new();
    for entry in index.of_kind("crl", 55) {
        let file = entry.file.as_str();
        assert!(!entry.checks.is_empty(), "{file}");
        for check in &entry.checks {
            let at = check.verify_at;
            let read = format.read_list(&read(file), &keys, secs(at));
            let expected_field = match entry.class.as_str() {
                "quirk-accept" | "quirk-reject" => Some(quirks[file]),
                _ => (!check.accept).then(|| refused[file]),
            };
            match (read, expected_field) {
                (Ok(list), None) => {
                    let listed = check.entries.unwrap_or_else(|| list.entries());
                    // One token that is listed three times is one key.
                    let keys = if file == "crl/odd-duplicate-jti.json" {
                        1
                    } else {
                        listed
                    };
                    assert_eq!(list.entries(), keys, "{file}");
                }
                (Err(error), Some(expected)) => {
                    assert_eq!(field(&error), expected, "{file}: {error}");
                    named.insert(file);
                }
                (read, expected) => panic!("{file} at {at}: {read:?}, not {expected:?}"),
            }
        }
        *seen.entry(&entry.class).or_default() += 1;
    }
    let expected = [
        ("clock", 4),
        ("must-accept", 13),
        ("must-reject", 30),
        ("policy", 2),
        ("quirk-accept", 1),
        ("quirk-reject", 5),
    ];
    assert_eq!(seen, BTreeMap::from(expected));
    assert_eq!(
        named,
        refused.keys().chain(quirks.keys()).copied().collect(),
        "no table outgrows the files"
    );
}

#[test]
fn reads_the_response_around_the_list() {
    let refused = BTreeMap::from([
        ("crl/response/array.txt", "body"),
        ("crl/response/crl-null.txt", "crl"),
        ("crl/response/html.txt", "body"),
        ("crl/response/raw-token.txt", "body"),
    ]);
    for entry in Index::read().of_kind("crl_response", 5) {
        let file = entry.file.as_str();
        match format().read_list(&read(file), &keys(), secs(1_795_406_460)) {
            Ok(list) => assert!(entry.accept && list.entries() == 1, "{file}"),
            Err(error) => assert_eq!(Some(&field(&error)), refused.get(file), "{file}: {error}"),
        }
    }
}

#[test]
fn reads_every_key_set_as_clawdentity_does() {
    let refused = BTreeMap::from([
        ("keys/duplicate-kid.json", "keys[1].kid"),
        ("keys/empty.json", "keys"),
        ("keys/no-keys.json", "keys"),
    ]);
    for entry in Index::read().of_kind("key_set", 6) {
        let file = entry.file.as_str();
        match format().read_keys(&read(file)) {
            // Clawdentity refuses a set for a status that it does not know; here that key is left out, and the others stay in use.
            Ok(keys) if file == "keys/bad-status.json" => {
                assert_eq!((keys.len(), keys.contains("reg-key-2026-02")), (1, true));
            }
            Ok(keys) => {
                assert!(entry.accept, "{file}");
                assert_eq!(keys.len(), entry.usable_kids.len(), "{file}");
                assert!(entry.usable_kids.iter().all(|kid| keys.contains(kid)), "{file}");
            }
            Err(error) => assert_eq!(Some(&field(&error)), refused.get(file), "{file}: {error}"),
        }
    }
    assert!(!keys().contains("reg-key-2025-12"), "revoked");
}

#[test]
fn understands_the_registrys_own_answers() {
    let none_yet = "live/http/02-crl-empty.json";
    let mut refusals = 0;
    for entry in Index::read().of_kind("http_exchange", 31) {
        let file = entry.file.as_str();
        let exchange: Value = serde_json::from_slice(&read(file)).unwrap();
        let body = exchange["response"]["body"].to_string();
        let status = StatusCode::from_u16(entry.status).unwrap();
        assert_eq!(
            format().is_none_yet(status, body.as_bytes()),
            file == none_yet,
            "{file}"
        );
        match file {
            "live/http/01-keys.json" => assert_eq!(format().read_keys(body.as_bytes()).unwrap().len(), 2),
            "live/http/09-crl-1.json" => {
                let list = format()
                    .read_list(body.as_bytes(), &keys(), secs(1_795_407_526))
                    .unwrap();
                assert_eq!(list.entries(), 1);
            }
            _ if status.is_success() => {}
            _ => {
                let error = format()
                    .read_list(body.as_bytes(), &keys(), secs(1_795_407_526))
                    .unwrap_err();
                assert_eq!(field(&error), "crl", "{file} ({}): {error}", entry.code);
                refusals += 1;
            }
        }
    }
    assert_eq!(refusals, 22);
}

#[test]
fn refuses_to_go_back_to_an_older_list() {
    let sink = sink();
    sink.install(list("crl/crl-3.json")).unwrap();
    let rollback = InstallError::Rollback {
        offered: secs(1_767_222_000),
        newest: secs(1_767_225_600),
    };
    assert_eq!(sink.install(list("crl/crl-3-older.json")), Err(rollback));
    assert_eq!(sink.status().snapshot.unwrap().entries, 3);
    let newest = secs(1_767_225_600);
    assert_eq!(sink.install_none(), Err(InstallError::Unsigned { newest }));
}

#[test]
fn joins_two_lists_of_one_second() {
    let sink = sink();
    sink.install(list("crl/crl-3.json")).unwrap();
    sink.install(list("crl/crl-1.json")).unwrap();
    assert_eq!(sink.status().snapshot.unwrap().entries, 3);
}
