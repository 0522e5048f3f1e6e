//! Small messages of an issuer beside its events: a type, and the time when they were sent.

use serde::{Deserialize, Serialize};

use crate::format::object::Object;
use crate::model::decode::DecodeError;
use crate::model::timestamp::Timestamp;

#[derive(Deserialize, Serialize)]
struct SignalMessage<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(default, deserialize_with = "whole")]
    at_ms: Option<u64>,
}

/// `{"type":…,"at_ms":…}`.
pub(crate) fn write(kind: &str, at: Timestamp) -> Vec<u8> {
    let signal = SignalMessage {
        kind,
        at_ms: Some(at.as_unix_millis()),
    };
    serde_json::to_vec(&signal).expect("a string and a number serialize")
}

/// When the message was sent, if it is one of that type. Other messages cost almost nothing.
pub(crate) fn read(kind: &str, message: &[u8]) -> Option<Result<Timestamp, DecodeError>> {
    if message.len() > LONGEST {
        return None;
    }
    let Object::<SignalMessage<'_>>(signal) = serde_json::from_slice(message).ok()?;
    (signal.kind == kind).then(|| {
        let at = signal.at_ms.map(Timestamp::from_unix_millis);
        at.ok_or_else(|| DecodeError::new("at_ms", "is missing or not a whole number"))
    })
}

/// A whole number, or nothing.
fn whole<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(serde_json::Value::deserialize(deserializer)?.as_u64())
}

/// In bytes: room for a few more members.
pub(crate) const LONGEST: usize = 256;
