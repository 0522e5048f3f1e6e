//! How a statement is written.

use crate::format::revocation::content::Content;
use crate::format::revocation::event_type::{HEARTBEAT, type_of};
use crate::format::revocation::log_attributes::LogAttributes;
use crate::format::revocation::member_tree::{MemberValue, Members};
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
    data: Members<'e>,
}

impl<'e> EventToWrite<'e> {
    pub(super) fn statement(source: &'e str, id: &'e str, statement: &'e Statement) -> Self {
        // In the order of their names, so that nothing is sorted to make a digest.
        let mut data = Members::default();
        data.push("keys", keys(&statement.subjects));
        if statement.reason != Reason::Unspecified {
            data.push("reason", statement.reason.as_str().into());
        }
        if !statement.spared.is_empty() {
            data.push("sparing", keys(&statement.spared));
        }
        if let Some(forget_at) = statement.forget_at {
            data.push("until", rfc3339(forget_at).into());
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
        let mut data = Members::default();
        data.push("every_ms", every_ms.to_string().into());
        Self {
            id,
            source,
            kind: HEARTBEAT,
            time: rfc3339(at),
            data,
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
        let mut event = Members::default();
        event.push("specversion", "1.0".into());
        event.push("id", self.id.into());
        event.push("source", self.source.into());
        event.push("type", self.kind.into());
        event.push("time", (&*self.time).into());
        for (name, text) in place.iter().flat_map(LogAttributes::written) {
            event.push(name, text.into());
        }
        event.push("datacontenttype", "application/json".into());
        event.push("data", MemberValue::Object(self.data.clone()));
        serde_json::to_vec(&event).expect("texts serialize")
    }
}

fn keys(subjects: &[Subject]) -> MemberValue<'_> {
    MemberValue::Array(subjects.iter().map(key).collect())
}

fn key(subject: &Subject) -> MemberValue<'_> {
    let mut key = Members::default();
    if subject.kind() != KeyKind::Everything {
        key.push("id", subject.id().into());
    }
    key.push("kind", subject.kind().as_str().into());
    if let Some(name) = subject.name() {
        key.push("name", name.into());
    }
    MemberValue::Object(key)
}
