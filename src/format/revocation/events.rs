//! How the format is read.

use std::borrow::Cow;
use std::time::Duration;

use crate::format::revocation::content::Content;
use crate::format::revocation::event_type::{HEARTBEAT, kind_of};
use crate::format::revocation::log_attributes::LogAttributes;
use crate::format::revocation::member_tree::{MemberValue, Members};
use crate::format::revocation::members::{text, time};
use crate::model::decode::{Decode, DecodeError, Decoded, Placed};
use crate::model::event::{Reason, Revocation};
use crate::model::key::KeyKind;
use crate::model::log_place::{LogPlace, LogPosition};
use crate::model::timestamp::Timestamp;
use crate::statements::statement::{Statement, StatementKind};
use crate::statements::subject::Subject;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Reads revocations in the open format, as [`cloud_event`](super::cloud_event) writes them.
///
/// - Events of another `source`, and of types that are not known, are ignored; so are members that are not known.
/// - A reason that is not known counts as [`Reason::Unspecified`].
/// - What a cut-off spares (`data.sparing`) is not spared if it cannot be read.
/// - `data` may be in base64 (`data_base64`), as some routers send it, and may hold one key without `keys` around it.
///
/// # Errors
///
/// Errors name the fields `body`, `specversion`, `id`, `source`, `type`, `time`, `datacontenttype`, `data`, `data_base64`,
/// `data.keys`, `data.kind`, `data.name`, `data.id` and `data.until`; and `log`, `n`, `prev`, `afterlog`, `aftern`, `afterdigest`. A known type without a readable `time` is an error: whether a
/// revocation is older than a reinstatement must not depend on when it arrived.
///
/// # Security
///
/// Events are not signed: anybody who may publish may revoke, and may state any `source`. Limit who may publish.
#[derive(Clone, Debug)]
pub struct RevocationEvents {
    source: Box<str>,
}

impl RevocationEvents {
    /// Returns a decoder of the events of one issuer, by the `source` that they state.
    #[must_use]
    pub fn from_source(source: &str) -> Self {
        Self { source: source.into() }
    }

    /// Returns what an event of this issuer states, or why it is ignored.
    ///
    /// # Errors
    ///
    /// As those of [`decode`](Decode::decode).
    pub fn read(&self, message: &[u8]) -> Result<Result<Statement, &'static str>, DecodeError> {
        let event = event(message)?;
        let type_of_event = text(&event, "type", "type")?;
        let Some(kind) = kind_of(type_of_event) else {
            return Ok(Err("type is none of revocations"));
        };
        if !self.is_own(&event)? {
            return Ok(Err("source is another issuer"));
        }
        let data = data(&event)?;
        place(type_of_event, &event, &data)?;
        statement(kind, &event, &data).map(Ok)
    }

    fn is_own(&self, event: &Members<'_>) -> Result<bool, DecodeError> {
        Ok(text(event, "source", "source")? == &*self.source)
    }

    fn read_placed(&self, message: &[u8]) -> Result<Placed, DecodeError> {
        let event = event(message)?;
        let kind = text(&event, "type", "type")?;
        let (statement_kind, is_heartbeat) = (kind_of(kind), kind == HEARTBEAT);
        let is_numbered = event.contains("log");
        if statement_kind.is_none() && !is_heartbeat && !is_numbered {
            return Ok(Decoded::Ignored("type is none of revocations".into()).into());
        }
        if !self.is_own(&event)? {
            return Ok(Decoded::Ignored("source is another issuer".into()).into());
        }
        let data = data(&event)?;
        let place = place(kind, &event, &data)?;
        let decoded = match statement_kind {
            Some(kind) => statement(kind, &event, &data).map(|statement| Decoded::Events(statement.events().collect())),
            None if is_heartbeat => taken_effect(&event).map(Decoded::Heartbeat),
            None => Ok(Decoded::Ignored("type is none of revocations".into())),
        };
        Ok(Placed { decoded, place })
    }
}

impl Decode for RevocationEvents {
    fn decode(&self, message: &[u8]) -> Result<Decoded, DecodeError> {
        self.decode_placed(message).decoded
    }

    fn decode_placed(&self, message: &[u8]) -> Placed {
        self.read_placed(message).unwrap_or_else(Placed::from)
    }
}

fn event(message: &[u8]) -> Result<Members<'_>, DecodeError> {
    let body =
        serde_json::from_slice(message).map_err(|cause| DecodeError::new("body", "is not JSON").because(cause))?;
    let MemberValue::Object(event) = body else {
        return Err(DecodeError::new("body", "is not a JSON object"));
    };
    match text(&event, "specversion", "specversion")? {
        "1.0" => Ok(event),
        _ => Err(DecodeError::new("specversion", "is not 1.0")),
    }
}

/// What it states of the issuer's log, if it states one.
fn place(kind: &str, event: &Members<'_>, data: &Members<'_>) -> Result<Option<LogPlace>, DecodeError> {
    let Some(attributes) = LogAttributes::read(event)? else {
        return Ok(None);
    };
    let LogAttributes { log, n, prev, after } = attributes;
    if kind == HEARTBEAT {
        let every_ms = data
            .get("every_ms")
            .and_then(MemberValue::as_str)
            .and_then(|every| every.parse().ok());
        let every_ms = every_ms.ok_or_else(|| DecodeError::new("data.every_ms", "is not a whole number as text"))?;
        return Ok(Some(LogPlace::End {
            position: LogPosition { log, n, digest: prev },
            after,
            every: Duration::from_millis(every_ms),
        }));
    }
    if n == 0 {
        return Err(DecodeError::new("n", "is 0: the first message has number 1"));
    }
    let content = Content {
        id: text(event, "id", "id")?,
        source: text(event, "source", "source")?,
        kind,
        time: text(event, "time", "time")?,
        data,
    };
    Ok(Some(LogPlace::Entry {
        position: attributes.position(&content),
        prev,
        after,
    }))
}

fn statement(kind: StatementKind, event: &Members<'_>, data: &Members<'_>) -> Result<Statement, DecodeError> {
    text(event, "id", "id")?;
    let at = taken_effect(event)?;
    let subjects = match data.get("keys") {
        Some(MemberValue::Array(keys)) if !keys.is_empty() => keys.iter().map(subject).collect::<Result<_, _>>()?,
        Some(_) => return Err(DecodeError::new("data.keys", "is not an array with something in it")),
        None => vec![subject_of(data)?],
    };
    Ok(Statement {
        kind,
        subjects,
        at,
        reason: reason(data.get("reason")),
        forget_at: time(data, "until", "data.until")?,
        spared: if kind == StatementKind::CutOff {
            spared(data)
        } else {
            Vec::new()
        },
    })
}

/// What cannot be read is refused, as by readers that do not know the member: it is no reason to miss a cut-off.
fn spared(data: &Members<'_>) -> Vec<Subject> {
    let Some(MemberValue::Array(stated)) = data.get("sparing") else {
        return Vec::new();
    };
    let mut spared = Vec::new();
    for subject in stated.iter().filter_map(|key| subject(key).ok()) {
        if spared.len() < Revocation::MOST_SPARED && !spared.contains(&subject) {
            spared.push(subject);
        }
    }
    spared
}

fn taken_effect(event: &Members<'_>) -> Result<Timestamp, DecodeError> {
    time(event, "time", "time")?.ok_or_else(|| DecodeError::new("time", "is missing"))
}

fn data<'e>(event: &'e Members<'e>) -> Result<Cow<'e, Members<'e>>, DecodeError> {
    match event.get("datacontenttype") {
        None | Some(MemberValue::Null) => {}
        Some(MemberValue::Text(media)) if is_json(media) => {}
        Some(_) => return Err(DecodeError::new("datacontenttype", "is not JSON")),
    }
    match (event.get("data"), event.get("data_base64")) {
        (Some(MemberValue::Object(data)), _) => Ok(Cow::Borrowed(data)),
        (Some(data), _) if *data != MemberValue::Null => Err(DecodeError::new("data", "is not an object")),
        (_, Some(MemberValue::Text(encoded))) => {
            let decoded = STANDARD.decode(encoded.as_bytes()).ok();
            match decoded.as_deref().map(serde_json::from_slice) {
                Some(Ok(MemberValue::Object(data))) => Ok(Cow::Owned(data.into_owned())),
                Some(Ok(_)) => Err(DecodeError::new("data_base64", "is not an object")),
                Some(Err(_)) | None => Err(DecodeError::new("data_base64", "is not JSON in base64")),
            }
        }
        _ => Err(DecodeError::new("data", "is missing")),
    }
}

fn subject(key: &MemberValue<'_>) -> Result<Subject, DecodeError> {
    match key {
        MemberValue::Object(key) => subject_of(key),
        _ => Err(DecodeError::new("data.keys", "has something that is not an object")),
    }
}

fn subject_of(key: &Members<'_>) -> Result<Subject, DecodeError> {
    let kind = text(key, "kind", "data.kind")?;
    let kind = KeyKind::of(kind).ok_or_else(|| DecodeError::new("data.kind", "is none that is known"))?;
    Ok(match kind {
        KeyKind::Everything => Subject::everything(),
        KeyKind::Named => Subject::named(text(key, "name", "data.name")?, text(key, "id", "data.id")?),
        kind => Subject::of(kind, "", text(key, "id", "data.id")?),
    })
}

fn reason(stated: Option<&MemberValue<'_>>) -> Reason {
    let known = [
        Reason::CessationOfOperation,
        Reason::KeyCompromise,
        Reason::PrivilegeWithdrawn,
        Reason::Superseded,
    ];
    let stated = stated.and_then(MemberValue::as_str).unwrap_or_default();
    let is_it = |reason: &Reason| reason.as_str() == stated;
    known.into_iter().find(is_it).unwrap_or_default()
}

fn is_json(media: &str) -> bool {
    let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}
