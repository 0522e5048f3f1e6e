//! The claims of a list: any payload at all, signed.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tower_revocation::crl::ListFormat;
use tower_revocation::{InstallError, Key, RevocationList, Timestamp};

use super::events::{is_agent, is_ulid};
use super::registry::{ISSUER, NOW, document, format, keys, payload};
use super::tree::Tree;
use super::world;

/// A list is read if another reader, which is strict, reads it as well, and says the same; with or without escapes.
pub(crate) fn check(input: &[u8]) {
    let read = |payload: &[u8]| format().read_list(&document(payload), keys(), NOW);
    let list = read(input);
    let expected = Tree::read(input).and_then(|claims| expected(&claims));
    match (&list, &expected) {
        (Ok(list), Some(expected)) => assert_says(list, expected),
        (Err(_), None) => {}
        (list, expected) => panic!("{list:?} is not {expected:?}"),
    }
    // An escape makes no difference to what is said.
    let escaped = read(&with_an_escape(input));
    match (&list, &escaped) {
        (Ok(list), Ok(escaped)) => {
            assert_eq!(list.entries(), escaped.entries());
            assert_eq!(
                (list.issued_at(), list.expires_at()),
                (escaped.issued_at(), escaped.expires_at())
            );
        }
        (Err(_), Err(_)) => {}
        (list, escaped) => panic!("{list:?} is not {escaped:?}"),
    }
    if let (Ok(list), Ok(escaped), Some(expected)) = (list, escaped, expected) {
        install(list, &expected);
        install(escaped, &expected);
    }
}

/// What a list says.
#[derive(Debug)]
struct Said {
    issued_at: u64,
    expires_at: u64,
    tokens: BTreeMap<String, u64>,
}

fn assert_says(list: &RevocationList, expected: &Said) {
    assert_eq!(list.entries(), expected.tokens.len());
    assert_eq!(list.issued_at(), Some(Timestamp::from_unix_secs(expected.issued_at)));
    assert_eq!(list.expires_at(), Some(Timestamp::from_unix_secs(expected.expires_at)));
}

/// What is listed is refused, whatever older list comes after it; whom an event blocked stays so.
fn install(list: RevocationList, expected: &Said) {
    let sink = world::without_list();
    match sink.install(list) {
        // It would block its successors.
        Err(InstallError::FromFuture { .. }) => {
            assert!(expected.issued_at > NOW.as_unix_secs());
            return world::assert_still_blocked(&sink);
        }
        installed => installed.expect("the first list is taken"),
    }
    let _ =
        sink.install(RevocationList::builder(Timestamp::from_unix_secs(expected.issued_at.saturating_sub(1))).build());
    assert!(sink.install_none().is_err(), "an unsigned answer removes nothing");
    for token in expected.tokens.keys() {
        assert!(world::is_blocked(&sink, Key::token(token)), "{token}");
    }
    let other = "did:cdi:registry.example.com:agent:01KDVDNA04D4DR3RABR7B5GHXT";
    assert!(
        !world::is_blocked(&sink, Key::subject(other)),
        "lists name tokens, not agents"
    );
    world::assert_still_blocked(&sink);
}

/// What the claims say, if all of them are there, none of them twice, and nothing else.
fn expected(claims: &Tree) -> Option<Said> {
    let is_whole = claims.has_only(&["iss", "jti", "iat", "exp", "revocations"]);
    let (issued_at, expires_at) = (claims.get("iat")?.integer()?, claims.get("exp")?.integer()?);
    let is_good = claims.get("iss")?.text()? == ISSUER
        && !claims.get("jti")?.text()?.is_empty()
        && expires_at > issued_at
        && expires_at > NOW.as_unix_secs();
    let Tree::List(entries) = claims.get("revocations")? else {
        return None;
    };
    let mut tokens = BTreeMap::new();
    for entry in entries {
        let (token, at) = revocation(entry)?;
        let known = tokens.entry(token).or_insert(at);
        *known = at.max(*known);
    }
    (is_whole && is_good && !tokens.is_empty()).then_some(Said {
        issued_at,
        expires_at,
        tokens,
    })
}

fn revocation(entry: &Tree) -> Option<(String, u64)> {
    let is_whole = entry.has_only(&["jti", "agentDid", "reason", "revokedAt"]);
    let (jti, did) = (entry.get("jti")?.text()?, entry.get("agentDid")?.text()?);
    let is_reason = |reason: &Tree| reason.text().is_some_and(|text| text.encode_utf16().count() <= 280);
    let is_good = is_ulid(jti)
        && is_agent(did)
        && did.starts_with("did:cdi:registry.example.com:")
        && entry.get("reason").is_none_or(is_reason);
    let at = entry.get("revokedAt")?.integer()?;
    (is_whole && is_good).then(|| (jti.to_owned(), at))
}

/// The same JSON, with the first character of its first string escaped.
fn with_an_escape(json: &[u8]) -> Vec<u8> {
    let first = json
        .windows(2)
        .position(|pair| pair[0] == b'"' && pair[1].is_ascii_alphanumeric());
    let Some(quote) = first else { return json.to_vec() };
    // Whatever comes before may hold the quote in a string that is not plain: then it is none of ours, and stays.
    if json[..quote].contains(&b'\\') || json[..quote].contains(&b'"') {
        return json.to_vec();
    }
    let escape = format!("\\u{:04x}", json[quote + 1]);
    [&json[..=quote], escape.as_bytes(), &json[quote + 2..]].concat()
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> = world::vectors("crl", ".json")
        .iter()
        .filter_map(|body| payload_of(body))
        .collect();
    // Large ones are slow, and say no more.
    seeds.retain(|payload| payload.len() < 4096);
    seeds.push(payload(1, 4_000_000_000, &[super::registry::A]));
    seeds.push(payload(
        u64::MAX - 1,
        u64::MAX,
        &[super::registry::A, super::registry::B, super::registry::A],
    ));
    seeds
}

/// The payload of the list in a document.
pub(crate) fn payload_of(body: &[u8]) -> Option<Vec<u8>> {
    let body = Tree::read(body)?;
    let payload = body.get("crl")?.text()?.split('.').nth(1)?.to_owned();
    URL_SAFE_NO_PAD.decode(payload).ok()
}
