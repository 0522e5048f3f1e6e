//! The claims of a token: its header and payload, put together as a token.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};
use tower_revocation::identify::{self, Jwt};
use tower_revocation::{EventSink, Identify, Identity, Key, Revocation, Timestamp, Verdict};

use super::tree::Tree;
use super::world;

/// A token presents the keys that another reader finds in it, in any disguise; and is refused for any of them.
pub(crate) fn check(input: &[u8]) {
    let mut parts = world::parts(input);
    let (Some(header), Some(payload), None) = (parts.next(), parts.next(), parts.next()) else {
        return;
    };
    if header.len().max(payload.len()) > LONGEST {
        return;
    }
    let token = token(header, payload);
    let found = identify(&[format!("Claw {token}").as_bytes()]);
    let expected = expected(header, payload);
    match (&found, &expected) {
        (Identity::Presented(credential), Some((keys, issued_at))) => {
            assert!(
                credential.keys().eq(keys),
                "{:?} are not {keys:?}",
                credential.keys().collect::<Vec<_>>()
            );
            assert_eq!(credential.issued_at(), *issued_at);
        }
        (Identity::Unreadable(_), None) => {}
        (found, expected) => panic!("{found:?} is not {expected:?}"),
    }
    for disguise in ["claw", "CLAW ", " ClAw\t", "Basic x,claW \t"] {
        assert_same(&identify(&[format!("{disguise} {token}").as_bytes()]), &found);
    }
    assert_same(&identify(&[&[b"Claw\xa0", token.as_bytes(), b"\xa0"].concat()]), &found);
    let beside_rubbish = identify(&[b"Claw rubbish", format!("Claw {token}").as_bytes()]);
    match (&found, &beside_rubbish) {
        (Identity::Presented(alone), Identity::Partial(beside, _)) => assert!(alone.keys().eq(beside.keys())),
        (Identity::Unreadable(_), Identity::Unreadable(_)) => {}
        (found, beside) => panic!("{found:?} is not {beside:?}"),
    }
    if let Some((keys, _)) = expected
        && let Some(key) = keys.get(payload.len() % keys.len().max(1))
    {
        let sink = world::domain();
        sink.apply(Revocation::block(*key))
            .expect("there is room")
            .wait()
            .expect("there is room");
        assert!(is_refused(&sink, &found) && is_refused(&sink, &beside_rubbish));
    }
}

/// Whether what can be read of an identity is refused.
pub(crate) fn is_refused(sink: &EventSink, identity: &Identity) -> bool {
    let (Identity::Presented(credential) | Identity::Partial(credential, _)) = identity else {
        return false;
    };
    matches!(sink.decide(credential), Verdict::Revoked(_))
}

fn assert_same(one: &Identity, other: &Identity) {
    match (one, other) {
        (Identity::Presented(one), Identity::Presented(other)) => {
            assert!(one.keys().eq(other.keys()) && one.issued_at() == other.issued_at());
        }
        (Identity::Unreadable(_), Identity::Unreadable(_)) => {}
        _ => panic!("{one:?} is not {other:?}"),
    }
}

/// What a request presents with a token of this header and payload.
#[allow(dead_code, reason = "other tests ask as well")]
pub(crate) fn identify_claims(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> Identity {
    identify(&[format!("Claw {}", token(header, payload)).as_bytes()])
}

fn token(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    format!(
        "{}.{}.c2ln",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    )
}

/// What a request presents with these values of its header.
pub(crate) fn identify(values: &[&[u8]]) -> Identity {
    let mut request = Request::new(());
    for value in values {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            request.headers_mut().append(AUTHORIZATION, value);
        }
    }
    JWT.identify(&request)
}

static JWT: LazyLock<Jwt> = LazyLock::new(|| identify::jwt(AUTHORIZATION, "Claw").with_claim("tid", Key::tenant));

/// The keys in a token, in their order, and when it was issued; `None` if it cannot be read.
fn expected(header: &[u8], payload: &[u8]) -> Option<(Vec<Key>, Option<Timestamp>)> {
    let (mut keys, mut issued_at) = (Vec::new(), None);
    let Tree::Object(header) = Tree::read(header)? else {
        return None;
    };
    for (name, value) in &header {
        match name.as_str() {
            "kid" => ids(value, Key::signing_key, &mut keys)?,
            // The claims that are looked for are none of a header's, but are read as what they would be.
            "iat" => drop(date(value)?),
            "act" => actor(value, &[("kid", Key::signing_key)], &mut keys, &mut None)?,
            _ => {}
        }
    }
    actor(&Tree::read(payload)?, &CLAIMS, &mut keys, &mut issued_at)?;
    Some((keys, issued_at))
}

fn actor(
    claims: &Tree,
    known: &[(&str, MakeKey)],
    keys: &mut Vec<Key>,
    issued_at: &mut Option<Timestamp>,
) -> Option<()> {
    let Tree::Object(claims) = claims else { return None };
    for (name, value) in claims {
        match (known.iter().find(|(known, _)| known == name), name.as_str()) {
            (Some((_, make)), _) => ids(value, *make, keys)?,
            (None, "iat") => {
                let date = date(value)?;
                *issued_at = Some(issued_at.map_or(date, |earlier: Timestamp| earlier.min(date)));
            }
            (None, "act") => actor(value, known, keys, &mut None)?,
            _ => {}
        }
    }
    Some(())
}

fn ids(value: &Tree, make: MakeKey, keys: &mut Vec<Key>) -> Option<()> {
    match value {
        Tree::Null => {}
        Tree::Text(id) => keys.push(make(id)),
        Tree::List(all) => all.iter().try_for_each(|id| ids(id, make, keys))?,
        _ => return None,
    }
    Some(())
}

fn date(value: &Tree) -> Option<Timestamp> {
    Some(Timestamp::from_unix_secs(match value {
        Tree::Integer(secs) => *secs,
        Tree::Negative(_) => 0,
        Tree::Float(secs) => secs.max(0.0).floor() as u64,
        _ => return None,
    }))
}

type MakeKey = fn(&str) -> Key;

const CLAIMS: [(&str, MakeKey); 6] = [
    ("jti", Key::token),
    ("sub", Key::subject),
    ("sid", Key::session),
    ("client_id", Key::client),
    ("azp", Key::client),
    ("tid", Key::tenant),
];

/// Longer parts are refused for their length.
const LONGEST: usize = 60 * 1024;

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let decode = |part: Option<&str>| URL_SAFE_NO_PAD.decode(part.unwrap_or_default()).unwrap_or_default();
    let mut seeds: Vec<_> = world::vectors("ait", ".jwt")
        .into_iter()
        .map(|token| {
            let token = String::from_utf8_lossy(&token).trim().to_owned();
            let mut parts = token.split('.');
            world::join([decode(parts.next()), decode(parts.next())])
        })
        .collect();
    for (header, payload) in [
        ("{}", r#"{"jti":"a","jti":["b",null,["c"]],"iat":9,"iat":-3,"iat":7.9}"#),
        (
            r#"{"kid":"k","kid":"l"}"#,
            r#"{"act":{"sub":"s","iat":1,"act":{"client_id":"c"}},"tid":"t","x":[{"y":1e3}]}"#,
        ),
        ("{}", r#"{"\u006ati":"\ud83d\ude00\u0000","sid":" x "}"#),
    ] {
        seeds.push(world::join([header, payload]));
    }
    seeds
}

/// A token that presents [`MALLORY`](world::MALLORY).
pub(crate) fn token_of_mallory() -> String {
    format!(
        "e30.{}.x",
        URL_SAFE_NO_PAD.encode(format!(r#"{{"sub":"{}"}}"#, world::MALLORY))
    )
}
