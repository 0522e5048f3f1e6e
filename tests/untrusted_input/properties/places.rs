//! All places of a request where tokens are: headers, cookies, the query, the protocols of a WebSocket.

use std::sync::LazyLock;

use http::header::{AUTHORIZATION, COOKIE, HeaderName, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderValue, Request, Uri};
use tower_revocation::identify::{self, Jwt};
use tower_revocation::{Credential, EventSink, Identify, Identity};

use super::claims::{is_refused, token_of_mallory};
use super::world;

/// Whatever a request has in all places does not hide a revoked token in one of them, in a form that some verifier takes.
pub(crate) fn check(input: &[u8]) {
    let mut parts = world::parts(input);
    let mut next = || parts.next().unwrap_or_default();
    let texts = [next(), next(), next(), next()];
    let sink = world::domain();
    let nothing = identify(texts);
    if let Identity::Presented(credential) | Identity::Partial(credential, _) = &nothing {
        assert!(credential.keys().count() <= Credential::MOST_KEYS);
    }
    let token = token_of_mallory();
    for (place, forms) in FORMS.iter().enumerate() {
        for form in *forms {
            let (before, after) = form.split_once('$').expect("a form has a place for the token");
            let form = [before.as_bytes(), token.as_bytes(), after.as_bytes()].concat();
            let mut alone = [&b""[..]; 4];
            alone[place] = &form;
            assert!(is_found(&sink, &identify(alone)), "{place}: {form:?}");
            let separator: &[u8] = [b",", b";", b"&", b","][place];
            for beside in [
                [texts[place], separator, &form].concat(),
                [&form, separator, texts[place]].concat(),
            ] {
                let mut all = texts;
                all[place] = &beside;
                if is_sendable(place, &beside) {
                    assert!(is_found(&sink, &identify(all)), "{place}: it is hidden: {beside:?}");
                }
            }
        }
    }
    // What one of two presents is presented by both together.
    let mut merged = nothing.clone();
    merged.merge(nothing);
    let mut alone = identify(texts);
    alone.merge(Identity::Anonymous);
    assert_eq!(format!("{merged:?}"), format!("{alone:?}"));
}

/// Whether a revoked token was found, or so many others that the request is unreadable for it.
fn is_found(sink: &EventSink, identity: &Identity) -> bool {
    let is_too_much = |credential: &Credential| credential.keys().count() == Credential::MOST_KEYS;
    is_refused(sink, identity) || matches!(identity, Identity::Partial(credential, _) if is_too_much(credential))
}

fn is_sendable(place: usize, text: &[u8]) -> bool {
    match place {
        QUERY => uri(text).is_some(),
        _ => HeaderValue::from_bytes(text).is_ok(),
    }
}

/// What a request presents with an `Authorization`, a `Cookie`, a query and a `Sec-WebSocket-Protocol`, as far as they can be sent.
fn identify(texts: [&[u8]; 4]) -> Identity {
    let mut request = Request::new(());
    for (name, text) in NAMES.into_iter().zip(texts) {
        match (name, HeaderValue::from_bytes(text)) {
            (Some(name), Ok(value)) => drop(request.headers_mut().append(name, value)),
            (None, _) => *request.uri_mut() = uri(text).unwrap_or_default(),
            (Some(_), Err(_)) => {}
        }
    }
    JWT.identify(&request)
}

fn uri(query: &[u8]) -> Option<Uri> {
    Uri::try_from([b"/?", query].concat()).ok()
}

static JWT: LazyLock<Jwt> = LazyLock::new(|| {
    identify::jwt(AUTHORIZATION, "Claw")
        .with_cookie("sid")
        .with_query("access_token")
        .with_websocket_protocol()
});

/// The query has none.
const NAMES: [Option<HeaderName>; 4] = [Some(AUTHORIZATION), Some(COOKIE), None, Some(SEC_WEBSOCKET_PROTOCOL)];

const QUERY: usize = 2;

const FORMS: [&[&str]; 4] = [
    &[
        "$",
        "Claw $",
        "claw ,$",
        "x Claw\t$",
        "DPoP $",
        "Claw$",
        "Token token=\"$\"",
        "Claw $ x",
    ],
    &["sid=$", " sid = \"$\"", "x sid=$", "sid=Bearer%20$"],
    &["access_token=$", "access%5ftoken=+$+", "access_token=Bearer%20$"],
    &["bearer,$", "$", "chat, bearer, $"],
];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let token = world::vectors("ait", ".jwt").swap_remove(0);
    let token = String::from_utf8_lossy(&token).trim().to_owned();
    let escaped = token.replace('.', "%2E");
    vec![
        world::join([
            format!("Basic dXNlcg==, claw\t{token}"),
            format!("a=\"b\"; sid={token}; sid=\"{escaped}\""),
            format!("x=y&access%5Ftoken=+{escaped}&access_token"),
            format!("chat, bearer, {token}"),
        ]),
        world::join([
            "Digest realm=\"a.b.c\", nonce=\"e30=\"",
            "sid = ; sid",
            "access_token=%zz+%",
            "bearer",
        ]),
        world::join([
            "eyJeyJe30.e30.x~a~",
            "sid=\"e30.e30.\\056",
            "access_token=e30%2ee30%2e",
            "bearer, , e30.e30.",
        ]),
    ]
}
