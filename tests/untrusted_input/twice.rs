//! Members that are stated twice. In what may be used against its author, none of the two may let in whom the other refuses; an
//! event says what its publisher wants, who might as well say nothing:
//!
//! | In | What counts |
//! |---|---|
//! | a list, its entries, its header, a set of keys | neither: the document is refused |
//! | a token, its header | both |
//! | an event | the last, as for all others who read the same queue; its time, neither: it counts as of now |
//! | a heartbeat | neither: it is none |
//! | an answer of Cloudflare's | neither: it makes no sense |
//!
//! Lists and tokens are also tested where their readers are, in `tests/api`.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::service_fn;
use tower_revocation::crl::{ListFormat, verify_jws};
use tower_revocation::format::clawdentity::ClawdentityEvents;
use tower_revocation::format::{HEARTBEAT_TYPE, Heartbeats};
use tower_revocation::source::cloudflare::CloudflareSource;
use tower_revocation::source::{EventSource, Start};
use tower_revocation::{Decode, DecodeError, Decoded, Disposition, Identity, Key, Reinstatement, Timestamp};

use crate::properties::claims::identify_claims;
use crate::properties::registry::{self, HEADER, format, keys, keys_document, sign};
use crate::properties::world;

#[test]
fn a_set_of_keys_is_refused() {
    let document = String::from_utf8(keys_document()).unwrap();
    for member in ["kid", "alg", "crv", "x", "status"] {
        let first = format!(r#""{member}":"#);
        let twice = document.replacen(&first, &format!(r#"{first}"active",{first}"#), 1);
        assert_ne!(twice, document);
        assert!(format().read_keys(twice.as_bytes()).is_err(), "{twice}");
    }
    let twice = document.replacen(r#""keys":"#, r#""keys":[],"keys":"#, 1);
    assert!(format().read_keys(twice.as_bytes()).is_err());
}

#[test]
fn a_signed_header_and_the_document_around_it_are_refused() {
    let payload = registry::payload(1, 4_000_000_000, &[registry::A]);
    for member in ["alg", "typ", "kid"] {
        let first = format!(r#""{member}":"#);
        let twice = HEADER.replacen(&first, &format!(r#"{first}"none",{first}"#), 1);
        let token = sign(twice.as_bytes(), &payload);
        assert_eq!(
            verify_jws(&token, "CRL", keys()).unwrap_err().field(),
            "header",
            "{twice}"
        );
    }
    let document = String::from_utf8(registry::document(&payload)).unwrap();
    assert!(format().read_list(document.as_bytes(), keys(), registry::NOW).is_ok());
    let twice = document.replacen('{', r#"{"crl":"","#, 1);
    assert!(format().read_list(twice.as_bytes(), keys(), registry::NOW).is_err());
}

#[test]
fn of_a_token_both_count() {
    for (header, payload, keys) in [
        (
            r#"{"kid":"k","kid":"l"}"#,
            r#"{"sub":"s","sub":"t"}"#,
            vec![
                Key::signing_key("k"),
                Key::signing_key("l"),
                Key::subject("s"),
                Key::subject("t"),
            ],
        ),
        (
            "{}",
            r#"{"act":{"sub":"a"},"act":{"sub":"b","sub":"c"}}"#,
            vec![Key::subject("a"), Key::subject("b"), Key::subject("c")],
        ),
    ] {
        let Identity::Presented(credential) = identify_claims(header, payload) else {
            panic!("it can be read");
        };
        assert!(credential.keys().eq(&keys), "{payload}");
    }
}

/// An event that states two times must not count as of the earlier, which may have been made good for since.
#[test]
fn of_an_event_the_last_counts_and_of_its_times_none() {
    let event = |more: &str| {
        let event = format!(
            r#"{{{more}"type":"agent.auth.revoked","data":{{"agentId":"{}"}}}}"#,
            world::MALLORY
        );
        ClawdentityEvents::new().decode(event.as_bytes()).unwrap()
    };
    assert_eq!(event(r#""type":"x","data":[],"#), event(""));
    let stated = r#""timestampUtc":"2020-01-01T00:00:00Z","#;
    assert_ne!(event(stated), event(""));
    assert_eq!(event(&stated.repeat(2)), event(""), "as of its arrival");
    let sink = world::domain();
    sink.apply(Reinstatement::of(world::mallory(), Timestamp::now()))
        .unwrap()
        .wait()
        .unwrap();
    let decode = |_: &[u8]| Ok::<_, DecodeError>(event(&stated.repeat(2)));
    assert_eq!(sink.ingest(&decode, b"").wait(), Disposition::Applied);
    world::assert_still_blocked(&sink);
}

#[test]
fn a_heartbeat_is_none() {
    let decode = Heartbeats::beside(|_: &[u8]| Ok::<_, DecodeError>(Decoded::Ignored("other".into())));
    for twice in [r#""at_ms":1,"at_ms":2"#, r#""type":"x","at_ms":1"#] {
        let message = format!(r#"{{"type":"{HEARTBEAT_TYPE}",{twice}}}"#);
        let decoded = decode.decode(message.as_bytes()).unwrap();
        assert_eq!(decoded, Decoded::Ignored("other".into()), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_cloudflares_makes_no_sense() {
    let good = r#"{"success":true,"result":{"messages":[{"lease_id":"l","body":"x"}],"message_backlog_count":1}}"#;
    for member in [
        "success",
        "result",
        "messages",
        "message_backlog_count",
        "lease_id",
        "body",
    ] {
        let first = format!(r#""{member}":"#);
        let twice = good.replacen(&first, &format!("{first}null,{first}"), 1);
        for (body, is_good) in [(twice, false), (good.to_owned(), true)] {
            let client = service_fn(move |_: Request<Full<Bytes>>| {
                let answer = Response::new(Full::<Bytes>::from(body.clone()));
                async { Ok::<_, Infallible>(answer) }
            });
            let mut source = CloudflareSource::new(client, "account", "queue", "token");
            let opened = source.open(&Start::since(Timestamp::now())).await;
            assert_eq!(opened.is_ok(), is_good, "{member}: {opened:?}");
        }
    }
}
