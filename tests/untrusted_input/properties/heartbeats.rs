//! Heartbeats and canaries beside events.

use tower_revocation::canary::revocation;
use tower_revocation::format::{CANARY_TYPE, Canaries, HEARTBEAT_TYPE, Heartbeats, canary, heartbeat};
use tower_revocation::{Decode, DecodeError, Decoded, Disposition, Timestamp};

use super::tree::Tree;
use super::world;

/// A heartbeat is an object that says so and when; anything else is left to the decoder of events, which here ignores it.
pub(crate) fn check(input: &[u8]) {
    let decode = Heartbeats::beside(|_: &[u8]| Ok::<_, DecodeError>(Decoded::Ignored("other".into())));
    let sink = world::domain();
    let disposition = world::ingest(&sink, &decode, input);
    // `None` also where there is something deep, or no text, beside what matters.
    let message = Tree::read(input);
    let is_recognized = |message: &Tree| message.get("type").and_then(Tree::text) == Some(HEARTBEAT_TYPE);
    let stated = |message: &Tree| message.get("at_ms").and_then(Tree::integer);
    match decode.decode(input) {
        Ok(Decoded::Heartbeat(at)) => {
            if let Some(message) = message {
                assert!(is_recognized(&message));
                assert_eq!(stated(&message).map(Timestamp::from_unix_millis), Some(at));
            }
            assert_eq!(disposition, Disposition::Applied);
            assert!(sink.status().feed.last_heartbeat_ms_ago.is_some());
            assert_eq!(decode.decode(&heartbeat(at)).ok(), Some(Decoded::Heartbeat(at)));
        }
        Ok(decoded) => assert_eq!(decoded, Decoded::Ignored("other".into())),
        Err(error) => {
            assert_eq!(error.field(), "at_ms");
            if let Some(message) = message {
                assert!(is_recognized(&message) && stated(&message).is_none());
            }
        }
    }
    world::assert_still_blocked(&sink);
    check_canary(input);
}

/// The same of a canary, which is an event.
fn check_canary(input: &[u8]) {
    let decode = Canaries::beside(|_: &[u8]| Ok::<_, DecodeError>(Decoded::Ignored("other".into())));
    let message = Tree::read(input);
    let is_recognized = |message: &Tree| message.get("type").and_then(Tree::text) == Some(CANARY_TYPE);
    let stated = |message: &Tree| message.get("at_ms").and_then(Tree::integer);
    match decode.decode(input) {
        Ok(decoded @ Decoded::Events(_)) => {
            let sink = world::domain();
            assert_eq!(world::ingest(&sink, &decode, input), Disposition::Applied);
            world::assert_still_blocked(&sink);
            if let Some(message) = message {
                assert!(is_recognized(&message));
                let at = stated(&message).map(Timestamp::from_unix_millis).expect("it says when");
                assert_eq!(decoded, Decoded::from(revocation(at)));
                assert_eq!(decode.decode(&canary(at)).ok(), Some(decoded));
            }
        }
        Ok(decoded) => assert_eq!(decoded, Decoded::Ignored("other".into())),
        Err(error) => assert_eq!(error.field(), "at_ms"),
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![
        heartbeat(Timestamp::from_unix_millis(1_767_225_600_250)),
        heartbeat(Timestamp::from_unix_millis(u64::MAX)),
        canary(Timestamp::from_unix_millis(1_767_225_600_250)),
        canary(Timestamp::from_unix_millis(u64::MAX)),
    ];
    for more in [
        r#"{"type":"revocation.heartbeat"}"#,
        r#"{"type":"revocation.heartbeat","at_ms":-1}"#,
        r#"{"type":"revocation.heartbeat","at_ms":1.5e3,"from":["x",{"y":null}]}"#,
        r#"{"type":"other","at_ms":1}"#,
        r#"["revocation",1]"#,
    ] {
        seeds.push(more.as_bytes().to_vec());
    }
    seeds
}
