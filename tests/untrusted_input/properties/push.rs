//! Bodies that are pushed.

use std::cell::RefCell;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::runtime::Runtime;
use tower::ServiceExt;
use tower_revocation::format::Heartbeats;
use tower_revocation::format::clawdentity::ClawdentityEvents;
use tower_revocation::push::{Push, Secret};
use tower_revocation::{Decode, Decoded, EventSink};

use super::world;

/// Each message is answered for as its decoder has it, in its place; and nobody is listened to who does not know the secret.
pub(crate) fn check(input: &[u8]) {
    let sink = world::domain();
    let before = (sink.status().overlay.entries, sink.status().dispositions.applied);
    for (header, value) in [
        ("authorization", "Bearer nekot".to_owned()),
        ("x-signature-256", signature(b"another key", input)),
        ("x-signature-256", signature(b"key", &[input, b" "].concat())),
    ] {
        assert_eq!(push(&sink, header, &value, input).0, StatusCode::UNAUTHORIZED);
    }
    let status = sink.status();
    assert_eq!((status.overlay.entries, status.dispositions.applied), before);
    assert_eq!(status.dispositions.dead_letter, 0);

    let by_token = push(&sink, AUTHORIZATION.as_str(), "Bearer token", input);
    let by_signature = push(&world::domain(), "x-signature-256", &signature(b"key", input), input);
    assert_eq!(by_token, by_signature);
    check_answer(input, by_token);
    world::assert_still_blocked(&sink);
}

fn check_answer(body: &[u8], (status, answer): (StatusCode, Value)) {
    let is_batch = body.trim_ascii_start().first() == Some(&b'[') && !body.starts_with(b"\x0c");
    let messages: Option<Vec<&RawValue>> = serde_json::from_slice(body).ok().filter(|_| is_batch);
    match messages {
        Some(messages) if messages.len() > BATCH => assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE),
        Some(messages) => {
            let results = answer["results"].as_array().expect("a batch has results");
            assert_eq!(results.len(), messages.len());
            for (message, result) in messages.iter().zip(results) {
                assert_eq!(
                    result["disposition"],
                    disposition(message.get().as_bytes()),
                    "{message}"
                );
            }
            let is_any_dead = results.iter().any(|result| result["disposition"] == "dead-letter");
            assert_eq!(status, if is_any_dead { 422 } else { 200 });
        }
        None => {
            let expected = disposition(body);
            assert_eq!(answer["disposition"], expected);
            assert_eq!(status, if expected == "dead-letter" { 422 } else { 200 });
        }
    }
}

/// What becomes of one message: there is always room.
fn disposition(message: &[u8]) -> &'static str {
    match decoder().decode(message) {
        Ok(Decoded::Ignored(_)) => "ignored",
        Ok(_) => "applied",
        Err(_) => "dead-letter",
    }
}

fn decoder() -> Heartbeats<ClawdentityEvents> {
    Heartbeats::beside(ClawdentityEvents::new())
}

fn push(sink: &EventSink, header: &str, value: &str, body: &[u8]) -> (StatusCode, Value) {
    let push = Push::new(sink.clone(), decoder(), Secret::bearer("token"))
        .and(Secret::hmac_sha256("key"))
        .with_batch_cap(BATCH);
    let value = HeaderValue::from_str(value).expect("a secret can be sent");
    let request = Request::post("/")
        .header(header, value)
        .body(Full::new(Bytes::copy_from_slice(body)));
    let pushed = async {
        let response = push.oneshot(request.expect("a request can be made")).await;
        let (head, body) = response.unwrap_or_else(|never| match never {}).into_parts();
        let body = body.collect().await.unwrap_or_else(|never| match never {}).to_bytes();
        (head.status, serde_json::from_slice(&body).expect("an answer is JSON"))
    };
    RUNTIME.with_borrow_mut(|runtime| runtime.get_or_insert_with(world::runtime).block_on(pushed))
}

fn signature(key: &[u8], body: &[u8]) -> String {
    let mac = Hmac::<sha2::Sha256>::new_from_slice(key).expect("a key of any length will do");
    let signature = mac.chain_update(body).finalize().into_bytes();
    let digits = signature.iter().map(|byte| format!("{byte:02x}"));
    format!("sha256={}", digits.collect::<String>())
}

thread_local! {
    static RUNTIME: RefCell<Option<Runtime>> = const { RefCell::new(None) };
}

/// How many messages a batch may have here.
const BATCH: usize = 16;

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let messages = world::vectors("queue", ".msg");
    let batch = [&b"["[..], &messages[4..8].join(&b','), b",{\"type\":\"x\"}, 7,[[1]] ]"].concat();
    let mut seeds = messages;
    seeds.push(batch);
    for more in [
        "[]",
        "[",
        "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]",
        " \n[\"\\ud800\"]",
        "[1]]",
    ] {
        seeds.push(more.as_bytes().to_vec());
    }
    seeds
}
