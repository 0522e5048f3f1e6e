//! The open format of revocations: CloudEvents.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::decode::{Decode, DecodeError, Decoded};
use crate::model::event::Reason;
use crate::model::key::KeyKind;
use crate::model::timestamp::Timestamp;
use crate::statements::statement::{Statement, StatementKind};
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
    let key = |subject: &Subject| WrittenKey {
        kind: subject.kind().as_str(),
        name: subject.name().map(str::to_owned),
        id: (subject.kind() != KeyKind::Everything).then(|| subject.id().to_owned()),
    };
    let data = WrittenData {
        keys: statement.subjects.iter().map(key).collect(),
        reason: (statement.reason != Reason::Unspecified).then(|| statement.reason.as_str()),
        until: statement.forget_at.map(rfc3339),
    };
    let event = WrittenEvent {
        specversion: "1.0",
        id,
        source,
        kind: type_of(statement.kind),
        time: rfc3339(statement.at),
        datacontenttype: "application/json",
        data,
    };
    serde_json::to_vec(&event).expect("texts serialize")
}

/// Reads revocations in the open format, as [`cloud_event`] writes them.
///
/// - Events of another `source`, and of types that are not known, are ignored; so are members that are not known.
/// - A reason that is not known counts as [`Reason::Unspecified`].
/// - `data` may be in base64 (`data_base64`), as some routers send it, and may hold one key without `keys` around it.
///
/// # Errors
///
/// Errors name the fields `body`, `specversion`, `id`, `source`, `type`, `time`, `datacontenttype`, `data`, `data_base64`,
/// `data.keys`, `data.kind`, `data.name`, `data.id` and `data.until`. A known type without a readable `time` is an error: whether a
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
        let body: Value =
            serde_json::from_slice(message).map_err(|cause| DecodeError::new("body", "is not JSON").because(cause))?;
        let Value::Object(event) = body else {
            return Err(DecodeError::new("body", "is not a JSON object"));
        };
        if text(&event, "specversion", "specversion")? != "1.0" {
            return Err(DecodeError::new("specversion", "is not 1.0"));
        }
        let Some(kind) = kind_of(text(&event, "type", "type")?) else {
            return Ok(Err("type is none of revocations"));
        };
        if text(&event, "source", "source")? != &*self.source {
            return Ok(Err("source is another issuer"));
        }
        text(&event, "id", "id")?;
        let at = time(&event, "time", "time")?.ok_or_else(|| DecodeError::new("time", "is missing"))?;
        let data = data(&event)?;
        let subjects = match data.get("keys") {
            Some(Value::Array(keys)) if !keys.is_empty() => keys.iter().map(subject).collect::<Result<_, _>>()?,
            Some(_) => return Err(DecodeError::new("data.keys", "is not an array with something in it")),
            None => vec![subject(&Value::Object(data.clone()))?],
        };
        Ok(Ok(Statement {
            kind,
            subjects,
            at,
            reason: reason(data.get("reason")),
            forget_at: time(&data, "until", "data.until")?,
        }))
    }
}

impl Decode for RevocationEvents {
    fn decode(&self, message: &[u8]) -> Result<Decoded, DecodeError> {
        Ok(match self.read(message)? {
            Ok(statement) => Decoded::Events(statement.events().collect()),
            Err(why) => Decoded::Ignored(why.into()),
        })
    }
}

fn data(event: &Map<String, Value>) -> Result<Map<String, Value>, DecodeError> {
    match event.get("datacontenttype") {
        None | Some(Value::Null) => {}
        Some(Value::String(media)) if is_json(media) => {}
        Some(_) => return Err(DecodeError::new("datacontenttype", "is not JSON")),
    }
    let (field, data) = match (event.get("data"), event.get("data_base64")) {
        (Some(data), _) if !data.is_null() => ("data", data.clone()),
        (_, Some(Value::String(encoded))) => {
            let decoded = STANDARD.decode(encoded).ok();
            let data = decoded.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            let problem = "is not JSON in base64";
            (
                "data_base64",
                data.ok_or_else(|| DecodeError::new("data_base64", problem))?,
            )
        }
        _ => return Err(DecodeError::new("data", "is missing")),
    };
    match data {
        Value::Object(data) => Ok(data),
        _ => Err(DecodeError::new(field, "is not an object")),
    }
}

fn subject(key: &Value) -> Result<Subject, DecodeError> {
    let Value::Object(key) = key else {
        return Err(DecodeError::new("data.keys", "has something that is not an object"));
    };
    let kind = text(key, "kind", "data.kind")?;
    let kind = KeyKind::of(kind).ok_or_else(|| DecodeError::new("data.kind", "is none that is known"))?;
    Ok(match kind {
        KeyKind::Everything => Subject::everything(),
        KeyKind::Named => Subject::named(text(key, "name", "data.name")?, text(key, "id", "data.id")?),
        kind => Subject::of(kind, "", text(key, "id", "data.id")?),
    })
}

/// A member that has to be a text with something in it.
fn text<'m>(members: &'m Map<String, Value>, name: &str, field: &'static str) -> Result<&'m str, DecodeError> {
    match members.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        None => Err(DecodeError::new(field, "is missing")),
        Some(_) => Err(DecodeError::new(field, "is not a string with something in it")),
    }
}

/// A member that may be a time.
fn time(members: &Map<String, Value>, name: &str, field: &'static str) -> Result<Option<Timestamp>, DecodeError> {
    let stated = match members.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(stated)) => stated,
        Some(_) => return Err(DecodeError::new(field, "is not a string")),
    };
    let time: Result<jiff::Timestamp, _> = stated.parse();
    let time = time.map_err(|cause| DecodeError::new(field, "is not a time of RFC 3339").because(cause))?;
    let millis = u64::try_from(time.as_millisecond());
    Ok(Some(Timestamp::from_unix_millis(millis.unwrap_or_default())))
}

fn reason(stated: Option<&Value>) -> Reason {
    let known = [
        Reason::CessationOfOperation,
        Reason::KeyCompromise,
        Reason::PrivilegeWithdrawn,
        Reason::Superseded,
    ];
    let stated = stated.and_then(Value::as_str).unwrap_or_default();
    let is_it = |reason: &Reason| reason.as_str() == stated;
    known.into_iter().find(is_it).unwrap_or_default()
}

fn is_json(media: &str) -> bool {
    let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}

/// In milliseconds, in UTC ([RFC 3339](https://www.rfc-editor.org/rfc/rfc3339)); the last time that it can state, for any later.
fn rfc3339(at: Timestamp) -> String {
    let millis = i64::try_from(at.as_unix_millis()).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    format!("{time:.3}")
}

const fn type_of(kind: StatementKind) -> &'static str {
    match kind {
        StatementKind::Block => "rs.tower-revocation.block",
        StatementKind::CutOff => "rs.tower-revocation.cut-off",
        StatementKind::Reinstate => "rs.tower-revocation.reinstate",
    }
}

fn kind_of(kind: &str) -> Option<StatementKind> {
    let all = [StatementKind::Block, StatementKind::CutOff, StatementKind::Reinstate];
    all.into_iter().find(|known| type_of(*known) == kind)
}

#[derive(Serialize)]
struct WrittenEvent<'e> {
    specversion: &'static str,
    id: &'e str,
    source: &'e str,
    #[serde(rename = "type")]
    kind: &'static str,
    time: String,
    datacontenttype: &'static str,
    data: WrittenData,
}

#[derive(Serialize)]
struct WrittenData {
    keys: Vec<WrittenKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

#[derive(Serialize)]
struct WrittenKey {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}
