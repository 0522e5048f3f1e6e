//! Clawdentity's queue messages.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::format::json::Json;
use crate::model::decode::{Decode, DecodeError, Decoded};
use crate::model::event::{Reason, Revocation};
use crate::model::key::Key;
use crate::model::timestamp::Timestamp;

/// Reads the messages of a [Clawdentity](https://github.com/vrknetha/clawdentity) registry's queue.
///
/// An `agent.auth.revoked` revokes the agent in one of two shapes:
///
/// - `data.reason` is `agent_revoked`, and `data.metadata.agentDid` names the agent: the registry's shape;
/// - `data.reason` and `data.metadata` are absent or null, and `data.agentId` is itself the agent's DID.
///
/// If `data.reason` is another text, the message is ignored, as Clawdentity's own proxy does: a session that ended does
/// not concern the agent. In any other shape the message is an error. (The proxy ignores some of these. Somebody should
/// look at a message that says `revoked` and cannot be understood.)
///
/// The agent is revoked by DID ([`Key::subject`]), as of `timestampUtc`. Members that do not matter may be missing or
/// malformed. This includes `timestampUtc`: without it the revocation takes effect upon arrival. Blanks around a DID
/// are cut off. If a member is stated twice, the last counts, as for the JavaScript that reads the same queue.
///
/// ```
/// use tower_revocation::format::clawdentity::ClawdentityEvents;
/// use tower_revocation::{Decode, Decoded, Key, Revocation};
///
/// let message = br#"{"type":"agent.auth.revoked",
///     "data":{"agentId":"did:cdi:registry.example.com:agent:01KDVDNA03XJ61A46WBY7B0EGN"}}"#;
/// let agent = Key::subject("did:cdi:registry.example.com:agent:01KDVDNA03XJ61A46WBY7B0EGN");
/// assert_eq!(ClawdentityEvents::new().decode(message).unwrap(), Decoded::from(Revocation::block(agent)));
/// ```
///
/// # Errors
///
/// Errors name the fields `body`, `type`, `data`, `data.reason`, `data.metadata`, `data.metadata.agentDid` and
/// `data.agentId`. A `type` with blanks around `agent.auth.revoked` is an error: its sender meant a revocation.
///
/// # Security
///
/// Messages are not signed: anybody who may write to the queue may revoke. An agent of another authority is revoked as
/// well, which is harmless if no request can present it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClawdentityEvents(());

impl ClawdentityEvents {
    /// Returns the decoder.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

impl Decode for ClawdentityEvents {
    fn decode(&self, message: &[u8]) -> Result<Decoded, DecodeError> {
        let body: Json<'_, LastWins<QueueMessage<'_>>> =
            serde_json::from_slice(message).map_err(|cause| DecodeError::new("body", "is not JSON").because(cause))?;
        let Json::Object(LastWins(envelope)) = body else {
            return Err(DecodeError::new("body", "is not a JSON object"));
        };
        let Json::Text(kind) = &envelope.kind else {
            return Err(DecodeError::new("type", envelope.kind.or("is not a string")));
        };
        match (kind.as_ref(), trim(kind)) {
            (_, "") => return Err(DecodeError::new("type", "is blank")),
            (REVOKED, _) => {}
            (_, REVOKED) => return Err(DecodeError::new("type", "is agent.auth.revoked amid blanks")),
            _ => return Ok(Decoded::Ignored("type is not agent.auth.revoked".into())),
        }
        let data = match envelope.data {
            Json::Object(LastWins(data)) => data,
            other => return Err(DecodeError::new("data", other.or("is not an object"))),
        };
        Ok(match revocation(data)? {
            Ok(revocation) => Decoded::from(match stated_time(message) {
                Some(at) => revocation.at(at),
                None => revocation,
            }),
            Err(why) => Decoded::Ignored(why.into()),
        })
    }
}

/// What `data` revokes, or why it revokes nothing.
fn revocation(data: Data<'_>) -> Result<Result<Revocation, &'static str>, DecodeError> {
    let (field, did, reason) = match (data.reason, data.metadata) {
        (Json::Text(reason), metadata) if reason == AGENT_REVOKED => match metadata {
            Json::Object(LastWins(metadata)) => {
                ("data.metadata.agentDid", metadata.agent_did, Reason::PrivilegeWithdrawn)
            }
            other => return Err(DecodeError::new("data.metadata", other.or("is not an object"))),
        },
        (Json::Text(_), _) => return Ok(Err("data.reason is not agent_revoked")),
        (Json::Absent | Json::Null, Json::Absent | Json::Null) => ("data.agentId", data.agent_id, Reason::Unspecified),
        (other, _) => return Err(DecodeError::new("data.reason", other.or("is not a string"))),
    };
    let Json::Text(did) = did else {
        return Err(DecodeError::new(field, did.or("is not a string")));
    };
    let did = trim(&did);
    agent_did(did).map_err(|problem| DecodeError::new(field, problem))?;
    Ok(Ok(Revocation::block(Key::subject(did)).because(reason)))
}

/// When the message says that it happened, if it says so in readable form ([RFC
/// 3339](https://www.rfc-editor.org/rfc/rfc3339)). It is read separately, so that an error in it does not make the
/// message unreadable.
fn stated_time(message: &[u8]) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Stamp<'a> {
        #[serde(rename = "timestampUtc", borrow)]
        timestamp_utc: Cow<'a, str>,
    }
    let stamp: Stamp<'_> = serde_json::from_slice(message).ok()?;
    let time: jiff::Timestamp = stamp.timestamp_utc.parse().ok()?;
    u64::try_from(time.as_millisecond())
        .ok()
        .map(Timestamp::from_unix_millis)
}

/// The authority of `did:cdi:<authority>:agent:<ULID>`, or what is wrong with it, in words that follow its name. The
/// authority is a DNS name in lower case of two labels or more, without a port.
pub(crate) fn agent_did(did: &str) -> Result<&str, &'static str> {
    let mut parts = did.split(':');
    let (Some("did"), Some("cdi"), Some(authority), Some(entity), Some(id), None) = (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) else {
        return Err("is not of the form did:cdi:<authority>:agent:<ULID>");
    };
    if !is_authority(authority) {
        return Err("names an authority that is no DNS name of two labels or more");
    }
    if entity != "agent" {
        return Err("is not the DID of an agent");
    }
    if !is_ulid(id) {
        return Err("does not end in a ULID");
    }
    Ok(authority)
}

/// Whether `text` is a [ULID](https://github.com/ulid/spec): 26 digits of Crockford's base 32 in upper case, of at most
/// 128 bits.
pub(crate) fn is_ulid(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 26 && bytes[0] <= b'7' && bytes.iter().all(|byte| CROCKFORD[usize::from(*byte)])
}

/// Which bytes are digits of Crockford's base 32, in upper case. A table, since a list has millions of them.
const CROCKFORD: [bool; 256] = {
    let digits = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut table = [false; 256];
    let mut at = 0;
    while at < digits.len() {
        table[digits[at] as usize] = true;
        at += 1;
    }
    table
};

fn is_authority(name: &str) -> bool {
    let is_edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        is_edge(bytes.first()) && is_edge(bytes.last()) && bytes.iter().all(|byte| *byte == b'-' || is_edge(Some(byte)))
    };
    // 253: RFC 1035 §2.3.4, as text.
    name.len() <= 253 && name.contains('.') && name.split('.').all(is_label)
}

/// Cuts off what JavaScript or Unicode takes for white space.
fn trim(text: &str) -> &str {
    text.trim_matches(|char: char| char.is_whitespace() || char == '\u{feff}')
}

/// An object whose members may be stated twice.
struct LastWins<T>(T);

trait ReadMembers<'de>: Default {
    /// Reads the value of the member `name`, or passes it over.
    fn read<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<(), A::Error>;
}

impl<'de, T: ReadMembers<'de>> Deserialize<'de> for LastWins<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LastWinsVisitor(PhantomData))
    }
}

struct LastWinsVisitor<T>(PhantomData<T>);

impl<'de, T: ReadMembers<'de>> Visitor<'de> for LastWinsVisitor<T> {
    type Value = LastWins<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut object = T::default();
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            object.read(&name, &mut members)?;
        }
        Ok(LastWins(object))
    }
}

#[derive(Default)]
struct QueueMessage<'a> {
    kind: Json<'a>,
    data: Json<'a, LastWins<Data<'a>>>,
}

impl<'de> ReadMembers<'de> for QueueMessage<'de> {
    fn read<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<(), A::Error> {
        match name {
            "type" => self.kind = members.next_value()?,
            "data" => self.data = members.next_value()?,
            _ => drop(members.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

#[derive(Default)]
struct Data<'a> {
    agent_id: Json<'a>,
    reason: Json<'a>,
    metadata: Json<'a, LastWins<Metadata<'a>>>,
}

impl<'de> ReadMembers<'de> for Data<'de> {
    fn read<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<(), A::Error> {
        match name {
            "agentId" => self.agent_id = members.next_value()?,
            "reason" => self.reason = members.next_value()?,
            "metadata" => self.metadata = members.next_value()?,
            _ => drop(members.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

#[derive(Default)]
struct Metadata<'a> {
    agent_did: Json<'a>,
}

impl<'de> ReadMembers<'de> for Metadata<'de> {
    fn read<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<(), A::Error> {
        match name {
            "agentDid" => self.agent_did = members.next_value()?,
            _ => drop(members.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

/// The `type` that this decoder reads.
const REVOKED: &str = "agent.auth.revoked";

/// The `data.reason` that this decoder reads.
const AGENT_REVOKED: &str = "agent_revoked";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::Event;

    const DID: &str = "did:cdi:registry.example.com:agent:01KDVDNA03XJ61A46WBY7B0EGN";

    fn decode(message: &str) -> Result<Decoded, DecodeError> {
        ClawdentityEvents::new().decode(message.as_bytes())
    }

    fn revokes(message: &str) -> Revocation {
        match decode(message) {
            Ok(Decoded::Events(events)) => match events[..] {
                [Event::Revoke(revocation)] => revocation,
                _ => panic!("{message}: {events:?}"),
            },
            other => panic!("{message}: {other:?}"),
        }
    }

    /// A revocation with `more` members before and after what matters.
    fn message(before: &str, after: &str) -> String {
        format!(
            r#"{{{before}"type":"agent.auth.revoked","data":{{"reason":"agent_revoked","metadata":{{"agentDid":"{DID}"}}}}{after}}}"#
        )
    }

    #[test]
    fn takes_the_stated_time_and_does_without_one() {
        let stated = revokes(&message(r#""timestampUtc":"2026-01-01T00:02:00.250Z","#, ""));
        assert_eq!(
            stated.effective_at(),
            Some(Timestamp::from_unix_millis(1_767_225_720_250))
        );
        assert_eq!(stated.reason(), Reason::PrivilegeWithdrawn);
        for garbage in [
            r#""""#,
            r#""yesterday""#,
            "17",
            "null",
            "[[]]",
            r#""1969-12-31T23:59:59Z""#,
            r#""\ud800""#,
            "1e999",
        ] {
            let revocation = revokes(&message(&format!(r#""timestampUtc":{garbage},"#), ""));
            assert_eq!(revocation.effective_at(), None, "{garbage}");
            assert_eq!(revocation.key(), &Key::subject(DID));
        }
    }

    #[test]
    fn is_not_disturbed_by_what_does_not_matter() {
        let deep = format!(r#","x":{}{}"#, "[".repeat(5_000), "]".repeat(5_000));
        for after in [r#","id":1,"id":2"#, r#","version":{"type":"x"}"#, &deep] {
            assert_eq!(revokes(&message("", after)).key(), &Key::subject(DID));
        }
    }

    #[test]
    fn takes_the_last_of_members_stated_twice() {
        assert_eq!(
            revokes(&message(r#""type":7,"data":null,"#, "")).key(),
            &Key::subject(DID)
        );
        let ignored = decode(&message("", r#","type":"x""#));
        assert!(matches!(ignored, Ok(Decoded::Ignored(_))), "{ignored:?}");
        assert_eq!(decode(&message("", r#","data":7"#)).unwrap_err().field(), "data");
    }

    #[test]
    fn takes_a_did_for_agent_id_where_nothing_else_is_said() {
        for members in ["", r#","reason":null"#, r#","reason":null,"metadata":null"#] {
            let revocation = revokes(&format!(
                r#"{{"type":"agent.auth.revoked","data":{{"agentId":" {DID}\n"{members}}}}}"#
            ));
            assert_eq!(revocation.key(), &Key::subject(DID));
            assert_eq!(revocation.reason(), Reason::Unspecified);
        }
        for data in [
            format!(r#"{{"agentId":"{DID}","reason":"owner_auth_revoke"}}"#),
            format!(r#"{{"agentId":"{DID}","reason":" agent_revoked "}}"#),
        ] {
            let decoded = decode(&format!(r#"{{"type":"agent.auth.revoked","data":{data}}}"#));
            assert!(matches!(decoded, Ok(Decoded::Ignored(_))), "{data}: {decoded:?}");
        }
        for (data, field) in [
            (r#"{"agentId":"01KDVDNA03XJ61A46WBY7B0EGN"}"#.to_owned(), "data.agentId"),
            (format!(r#"{{"agentId":"{DID}","metadata":{{}}}}"#), "data.reason"),
            (
                format!(r#"{{"agentId":"{DID}","metadata":{{"agentDid":"{DID}"}}}}"#),
                "data.reason",
            ),
            (
                format!(r#"{{"agentId":"{DID}","reason":["agent_revoked"]}}"#),
                "data.reason",
            ),
            ("{}".to_owned(), "data.agentId"),
            ("[]".to_owned(), "data"),
        ] {
            let error = decode(&format!(r#"{{"type":"agent.auth.revoked","data":{data}}}"#));
            assert_eq!(error.unwrap_err().field(), field, "{data}");
        }
        let human = DID.replace("agent", "human");
        let error = decode(&format!(
            r#"{{"type":"agent.auth.revoked","data":{{"agentId":"{human}"}}}}"#
        ));
        assert_eq!(
            error.unwrap_err().to_string(),
            "data.agentId is not the DID of an agent"
        );
    }

    #[test]
    fn reads_escaped_strings() {
        let escaped = message("", "")
            .replace("agent_revoked", "agent\\u005frevoked")
            .replace("did:", "\\u0064id:");
        assert_eq!(revokes(&escaped).key(), &Key::subject(DID));
    }

    #[test]
    fn tells_ulids_from_what_looks_like_them() {
        assert!(is_ulid("00000000000000000000000000") && is_ulid("7ZZZZZZZZZZZZZZZZZZZZZZZZZ"));
        for wrong in [
            "",
            "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "01KDVDNA03XJ61A46WBY7B0EG",
            "01KDVDNA03XJ61A46WBY7B0EGNN",
            "01kdvdna03xj61a46wby7b0egn",
            "01KDVDNA03XJ61A46WBY7B0EGI",
            "01KDVDNA03XJ61A46WBY7B0EGL",
            "01KDVDNA03XJ61A46WBY7B0EGO",
            "01KDVDNA03XJ61A46WBY7B0EGU",
            "01KDVDNA03XJ61A46WBY7B0EG-",
            "01KDVDNA03XJ61A46WBY7B0EÉ",
        ] {
            assert!(!is_ulid(wrong), "{wrong}");
        }
    }

    #[test]
    fn wants_an_authority_of_two_labels() {
        let with = |authority: &str| DID.replace("registry.example.com", authority);
        for right in [
            "a.b",
            "127.0.0.1",
            "xn--bcher-kva.example",
            "a-b.c-d",
            &"a.".repeat(126),
        ] {
            let right = right.strip_suffix('.').unwrap_or(right);
            assert_eq!(agent_did(&with(right)), Ok(right));
        }
        for wrong in [
            "",
            "localhost",
            "a..b",
            ".a.b",
            "a.b.",
            "-a.b",
            "a.b-",
            "A.b",
            "a_b.c",
            "a.b:80",
            "bücher.example",
            &("a.".repeat(127) + "a"),
        ] {
            assert!(agent_did(&with(wrong)).is_err(), "{wrong}");
        }
        for wrong in [
            "",
            "did:web:example.com",
            &DID[4..],
            &format!("{DID}:x"),
            &format!(" {DID}"),
            &DID.to_uppercase(),
        ] {
            assert!(agent_did(wrong).is_err(), "{wrong}");
        }
    }
}
