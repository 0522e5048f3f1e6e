//! How a statement is written.

use serde_json::{Map, Value};

use crate::format::revocation::content::Content;
use crate::format::revocation::event_type::{HEARTBEAT, type_of};
use crate::format::revocation::log_attributes::LogAttributes;
use crate::format::revocation::members::rfc3339;
use crate::model::event::Reason;
use crate::model::key::KeyKind;
use crate::model::timestamp::Timestamp;
use crate::statements::statement::Statement;
use crate::statements::subject::Subject;

/// Returns a statement as an event of [CloudEvents 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md), in
/// structured JSON, as every broker and webhook of ours takes it.
///
/// `source` is the issuer, such as `https://auth.example.com`; with it, `id` names this event and no other. The schema is
/// [`docs/revocation.schema.json`](https://docs.rs/crate/tower-revocation/latest/source/docs/revocation.schema.json).
///
/// ```
/// use tower_revocation::format::revocation::{RevocationEvents, cloud_event};
/// use tower_revocation::{Decode, Decoded, Statement, Subject};
///
/// // At the issuer, when somebody logs out.
/// let statement = Statement::block(Subject::session("s-1"));
/// let message = cloud_event("https://auth.example.com", "01JDW8", &statement);
///
/// // At each gateway.
/// let decode = RevocationEvents::from_source("https://auth.example.com");
/// assert_eq!(decode.decode(&message).unwrap(), Decoded::Events(statement.events().collect()));
/// ```
#[must_use]
pub fn cloud_event(source: &str, id: &str, statement: &Statement) -> Vec<u8> {
    EventToWrite::statement(source, id, statement).write(None)
}

/// An event that is about to be written.
pub(super) struct EventToWrite<'e> {
    id: &'e str,
    source: &'e str,
    kind: &'static str,
    time: String,
    data: Map<String, Value>,
}

impl<'e> EventToWrite<'e> {
    pub(super) fn statement(source: &'e str, id: &'e str, statement: &Statement) -> Self {
        let mut data = Map::new();
        data.insert("keys".to_owned(), statement.subjects.iter().map(key).collect());
        if statement.reason != Reason::Unspecified {
            data.insert("reason".to_owned(), statement.reason.as_str().into());
        }
        if !statement.spared.is_empty() {
            data.insert("sparing".to_owned(), statement.spared.iter().map(key).collect());
        }
        if let Some(forget_at) = statement.forget_at {
            data.insert("until".to_owned(), rfc3339(forget_at).into());
        }
        Self {
            id,
            source,
            kind: type_of(statement.kind),
            time: rfc3339(statement.at),
            data,
        }
    }

    pub(super) fn heartbeat(source: &'e str, id: &'e str, at: Timestamp, every_ms: u128) -> Self {
        Self {
            id,
            source,
            kind: HEARTBEAT,
            time: rfc3339(at),
            data: Map::from_iter([("every_ms".to_owned(), every_ms.to_string().into())]),
        }
    }

    pub(super) fn content(&self) -> Content<'_> {
        Content {
            id: self.id,
            source: self.source,
            kind: self.kind,
            time: &self.time,
            data: &self.data,
        }
    }

    pub(super) fn write(&self, place: Option<LogAttributes>) -> Vec<u8> {
        let attributes = [
            ("specversion", "1.0"),
            ("id", self.id),
            ("source", self.source),
            ("type", self.kind),
            ("time", &self.time),
            ("datacontenttype", "application/json"),
        ];
        let mut event: Map<String, Value> = attributes
            .map(|(name, text)| (name.to_owned(), text.into()))
            .into_iter()
            .collect();
        let place = place.iter().flat_map(LogAttributes::written);
        event.extend(place.map(|(name, text)| (name.to_owned(), text.into())));
        event.insert("data".to_owned(), self.data.clone().into());
        serde_json::to_vec(&event).expect("texts serialize")
    }
}

fn key(subject: &Subject) -> Value {
    let mut key = Map::new();
    key.insert("kind".to_owned(), subject.kind().as_str().into());
    if let Some(name) = subject.name() {
        key.insert("name".to_owned(), name.into());
    }
    if subject.kind() != KeyKind::Everything {
        key.insert("id".to_owned(), subject.id().into());
    }
    key.into()
}
