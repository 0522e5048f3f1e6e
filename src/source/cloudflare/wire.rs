//! What goes over the wire, as [Cloudflare's API](https://developers.cloudflare.com/api/resources/queues/subresources/messages/)
//! documents it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use crate::source::dead_letter::DeadLetter;

/// What every answer is wrapped in.
#[derive(Deserialize)]
pub(super) struct Envelope<T> {
    pub(super) success: Option<bool>,
    pub(super) errors: Option<Vec<Fault>>,
    pub(super) result: Option<T>,
}

/// What Cloudflare says is wrong.
#[derive(Deserialize)]
pub(super) struct Fault {
    pub(super) code: Option<i64>,
    pub(super) message: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Pull {
    pub(super) batch_size: usize,
    visibility_timeout_ms: u64,
}

impl Pull {
    pub(super) fn new(batch_size: usize, visibility_timeout: Duration) -> Self {
        Self {
            batch_size,
            visibility_timeout_ms: u64::try_from(visibility_timeout.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Pulled {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) messages: Vec<PulledMessage>,
    /// How many messages are not acknowledged, as the API says: perhaps with these, perhaps with those that wait.
    #[serde(default, deserialize_with = "or_default")]
    message_backlog_count: f64,
}

impl Pulled {
    pub(super) const fn backlog(&self) -> u64 {
        self.message_backlog_count as u64
    }
}

/// Numbers are numbers of any kind in the API's schema.
#[derive(Debug, Deserialize)]
pub(super) struct PulledMessage {
    pub(super) lease_id: String,
    #[serde(default)]
    body: Value,
    #[serde(default, deserialize_with = "or_default")]
    attempts: f64,
    #[serde(default)]
    metadata: Value,
}

impl PulledMessage {
    pub(super) const fn attempts(&self) -> u32 {
        self.attempts as u32
    }

    /// What was published. `json`, which is the default, and `bytes` come in base64, and `text` as it is. So does what is not
    /// what it is said to be: its decoder refuses it, and whoever looks at the dead letter sees it as it came.
    pub(super) fn payload(&self) -> Bytes {
        let body = match &self.body {
            Value::String(body) => body,
            other => return Bytes::from(other.to_string()),
        };
        let as_it_is = || Bytes::copy_from_slice(body.as_bytes());
        match self.content_type() {
            Some("text") => as_it_is(),
            _ => STANDARD.decode(body).map_or_else(|_| as_it_is(), Bytes::from),
        }
    }

    fn content_type(&self) -> Option<&str> {
        let mut metadata = self.metadata.as_object()?.iter();
        let (_, value) = metadata.find(|(name, _)| name.eq_ignore_ascii_case("CF-Content-Type"))?;
        value.as_str()
    }
}

/// What became of a message, to be told.
#[derive(Debug)]
pub(super) struct Settlement {
    pub(super) lease: String,
    /// In how many seconds to deliver it again; `None` if it is done with.
    pub(super) retry_in: Option<u32>,
}

/// The body that tells of all these.
pub(super) fn settlements(all: &[Settlement]) -> Vec<u8> {
    let mut acks = Vec::new();
    let mut retries = Vec::new();
    for Settlement { lease, retry_in } in all {
        match retry_in {
            None => acks.push(json!({"lease_id": lease})),
            Some(seconds) => retries.push(json!({"lease_id": lease, "delay_seconds": seconds})),
        }
    }
    json!({"acks": acks, "retries": retries}).to_string().into_bytes()
}

/// The body that publishes a dead letter: what is known of it, and `payload` as text or `payload_base64`. Of one that has no room
/// in a message of its own, the beginning.
pub(super) fn dead_letter(letter: &DeadLetter) -> Vec<u8> {
    let publish = |payload: &[u8]| {
        let mut body = match serde_json::to_value(letter) {
            Ok(Value::Object(body)) => body,
            _ => Map::new(),
        };
        match std::str::from_utf8(payload) {
            Ok(text) => body.insert("payload".to_owned(), text.into()),
            Err(_) => body.insert("payload_base64".to_owned(), STANDARD.encode(payload).into()),
        };
        body.insert("payload_bytes".to_owned(), letter.payload.len().into());
        json!({"body": body, "content_type": "json"}).to_string().into_bytes()
    };
    let whole = publish(&letter.payload);
    if whole.len() <= LARGEST_MESSAGE {
        return whole;
    }
    publish(&letter.payload[..letter.payload.len().min(LARGEST_BEGINNING)])
}

/// What is `null` is as good as missing: the schema requires nothing.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// 128 KB, less what Cloudflare adds.
const LARGEST_MESSAGE: usize = 127_000;

/// As much as has room even if each byte becomes `\u0000`.
const LARGEST_BEGINNING: usize = 20_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::timestamp::Timestamp;
    use crate::source::position::Position;

    fn message(body: &str, content_type: &str) -> PulledMessage {
        let message = json!({
            "lease_id": "l", "body": body, "attempts": 2, "timestamp_ms": 1,
            "metadata": {"CF-sourceMessageSource": "dash", "CF-Content-Type": content_type},
        });
        serde_json::from_value(message).unwrap()
    }

    #[test]
    fn reads_each_content_type_as_it_is_encoded() {
        for (body, content_type, payload) in [
            ("eyJhIjoxfQ==", "json", &b"{\"a\":1}"[..]),
            ("/wA=", "bytes", b"\xff\0"),
            ("eyJhIjoxfQ==", "text", b"eyJhIjoxfQ=="),
            ("{\"a\":1}", "text", b"{\"a\":1}"),
            ("/w8iAQ==", "v8", b"\xff\x0f\"\x01"),
            // Not what they are said to be.
            ("{\"a\":1}", "json", b"{\"a\":1}"),
            ("eyJhIjoxfQ", "json", b"eyJhIjoxfQ"),
        ] {
            assert_eq!(message(body, content_type).payload(), payload, "{content_type}");
        }
    }

    #[test]
    fn reads_what_lacks_all_that_it_can_do_without() {
        let read = |json: Value| serde_json::from_value::<PulledMessage>(json);
        let bare = read(json!({"lease_id": "l"})).unwrap();
        assert_eq!((bare.payload(), bare.attempts()), (Bytes::from("null"), 0));
        let null = read(json!({"lease_id": "l", "body": "x", "attempts": null, "metadata": null})).unwrap();
        assert_eq!((null.payload(), null.attempts()), (Bytes::from("x"), 0));
        let empty: Pulled = serde_json::from_str(r#"{"messages": null, "message_backlog_count": null}"#).unwrap();
        assert_eq!((empty.messages.len(), empty.backlog()), (0, 0));
        let odd = read(json!({"lease_id": "l", "body": {"a": 1}, "attempts": 3.0})).unwrap();
        assert_eq!((odd.payload(), odd.attempts()), (Bytes::from("{\"a\":1}"), 3));
        let untyped = read(json!({"lease_id": "l", "body": "eyJhIjoxfQ=="})).unwrap();
        assert_eq!(untyped.payload(), "{\"a\":1}");
        assert!(read(json!({"body": "x"})).is_err(), "one that cannot be settled");
    }

    fn letter(payload: Vec<u8>) -> Value {
        let letter = DeadLetter {
            source: "cloudflare:q".to_owned(),
            position: None::<Position>,
            payload: payload.into(),
            reason: "is \"odd\"".to_owned(),
            replica: "r".to_owned(),
            at: Timestamp::from_unix_secs(5),
            attempts: 1,
        };
        let published = dead_letter(&letter);
        assert!(published.len() <= LARGEST_MESSAGE);
        serde_json::from_slice(&published).unwrap()
    }

    #[test]
    fn a_dead_letter_carries_its_payload_and_why() {
        let published = letter(b"{\"a\":".to_vec());
        assert_eq!(published["content_type"], "json");
        let body = &published["body"];
        assert_eq!(
            (&body["reason"], &body["payload"], &body["source"], &body["at"]),
            (
                &json!("is \"odd\""),
                &json!("{\"a\":"),
                &json!("cloudflare:q"),
                &json!(5)
            )
        );
        assert_eq!(letter(vec![0xff, 0])["body"]["payload_base64"], "/wA=");
    }

    #[test]
    fn a_dead_letter_has_room_however_large_its_payload_is() {
        for byte in [b'x', b'"', 0, 0xff] {
            let body = &letter(vec![byte; 128_000])["body"];
            assert_eq!(body["payload_bytes"], 128_000);
            assert!(body.get("payload").or_else(|| body.get("payload_base64")).is_some());
        }
        // One that is cut within a character.
        let body = &letter("€".repeat(42_600).into_bytes())["body"];
        assert_eq!(body["payload_bytes"], 127_800);
        assert!(body.get("payload_base64").is_some());
    }
}
