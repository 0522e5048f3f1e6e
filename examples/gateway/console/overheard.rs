//! The decoder of the queue's messages, overheard.

use std::sync::Arc;

use serde_json::Value;
use tower_revocation::{Decode, DecodeError, Decoded, Event, Placed, Reason};

use super::entry::{Kind, NAME_BYTES, excerpt};
use super::record::Record;

/// Decodes as `D` does, and tells the record what came.
#[derive(Clone, Debug)]
pub(crate) struct Overheard<D> {
    decoder: D,
    record: Record,
}

impl Record {
    /// The same decoder, overheard.
    pub(crate) fn overhear<D>(&self, decoder: D) -> Overheard<D> {
        Overheard {
            decoder,
            record: self.clone(),
        }
    }
}

impl<D: Decode> Decode for Overheard<D> {
    fn decode(&self, message: &[u8]) -> Result<Decoded, DecodeError> {
        self.decode_placed(message).decoded
    }

    fn decode_placed(&self, message: &[u8]) -> Placed {
        let placed = self.decoder.decode_placed(message);
        let is_news = !matches!(placed.decoded, Ok(Decoded::Heartbeat(_) | Decoded::Refresh));
        // Of a flood most is only counted, and costs no second parse.
        if is_news && self.record.has_room_for_a_message() {
            self.tell(message, &placed.decoded);
        }
        placed
    }
}

impl<D> Overheard<D> {
    fn tell(&self, message: &[u8], decoded: &Result<Decoded, DecodeError>) {
        // The events name agents by fingerprints alone.
        let message: Value = serde_json::from_slice(message).unwrap_or_default();
        let agent = agent(&message);
        match decoded {
            Ok(Decoded::Events(events)) => {
                for event in events {
                    self.tell_event(event, agent.as_ref());
                }
            }
            Ok(Decoded::Ignored(why)) => {
                let words = format!("message ignored: {}", excerpt(why, NAME_BYTES));
                self.record.write(Kind::Ignored, agent, words);
            }
            Ok(_) => {}
            Err(error) => {
                let words = format!(
                    "message put aside, it cannot be read: {}",
                    excerpt(&error.to_string(), NAME_BYTES)
                );
                self.record.write(Kind::DeadLetter, agent, words);
            }
        }
    }

    fn tell_event(&self, event: &Event, agent: Option<&Arc<str>>) {
        match (event, agent) {
            (Event::Revoke(revocation), Some(agent)) => {
                let words = match revocation.reason() {
                    Reason::Unspecified => "revoked by an event".to_owned(),
                    reason => format!("revoked by an event: {}", reason.as_str()),
                };
                self.record.revoked(Arc::clone(agent), revocation.effective_at(), words);
            }
            (Event::Revoke(_), None) => self.record.write(Kind::Revoked, None, "revoked by an event".to_owned()),
            _ => self.record.write(
                Kind::Reinstated,
                agent.cloned(),
                "no longer revoked, by an event".to_owned(),
            ),
        }
    }
}

/// Whom a message names, if anyone. It may be any text.
fn agent(message: &Value) -> Option<Arc<str>> {
    let named = |pointer| message.pointer(pointer).and_then(Value::as_str);
    let agent = named("/data/metadata/agentDid").or_else(|| named("/data/agentId"))?;
    Some(excerpt(agent.trim(), NAME_BYTES).into())
}
