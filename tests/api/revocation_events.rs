//! The open format of revocations: what is written, what is read, and what the schema says.

use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;
use tower_revocation::format::revocation::{LogWriter, RevocationEvents, cloud_event};
use tower_revocation::{
    Decode, Decoded, KeyKind, LogDigest, LogId, LogPlace, LogPosition, Reason, Statement, StatementKind, Subject,
    Timestamp,
};

const SOURCE: &str = "https://auth.example.com";

static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("../../docs/revocation.schema.json")).unwrap();
    jsonschema::validator_for(&schema).unwrap()
});

fn decode() -> RevocationEvents {
    RevocationEvents::from_source(SOURCE)
}

/// A kind as vectors name it, and the subjects with their names.
fn shown(statement: &Statement) -> (&'static str, Vec<Value>) {
    let kind = match statement.kind() {
        StatementKind::Block => "block",
        StatementKind::CutOff => "cut-off",
        _ => "reinstate",
    };
    let subjects = statement.subjects().iter().map(|subject| {
        let mut shown = vec![Value::from(subject.kind().as_str()), subject.id().into()];
        shown.extend(subject.name().map(Value::from));
        shown.into()
    });
    (kind, subjects.collect())
}

#[test]
fn vectors_are_read_as_they_say_and_the_schema_agrees() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("../vectors/revocation/events.json")).unwrap();
    assert!(vectors.len() > 30);
    for vector in vectors {
        let name = vector["name"].as_str().unwrap();
        let message = vector["message"].to_string();
        let read = decode().read(message.as_bytes());
        match vector["verdict"].as_str().unwrap() {
            "statement" => {
                let statement = read.unwrap().unwrap();
                let (kind, keys) = shown(&statement);
                assert_eq!(
                    (kind, &Value::from(keys)),
                    (vector["kind"].as_str().unwrap(), &vector["keys"]),
                    "{name}"
                );
                // The rest of it shows in the events alone.
                let mut again = Statement::block(Subject::session("s-1"))
                    .at(Timestamp::from_unix_millis(vector["at_ms"].as_u64().unwrap()))
                    .because(match vector["reason"].as_str() {
                        Some("key-compromise") => Reason::KeyCompromise,
                        _ => Reason::Unspecified,
                    });
                if let Some(until) = vector["forget_at_ms"].as_u64() {
                    again = again.forget_at(Timestamp::from_unix_millis(until));
                }
                if kind == "block" && statement.subjects() == again.subjects() {
                    assert_eq!(statement, again, "{name}");
                }
                let spared = statement
                    .spared()
                    .iter()
                    .map(|subject| subject.id())
                    .collect::<Vec<_>>();
                assert_eq!(
                    Value::from(spared),
                    vector
                        .get("spared")
                        .cloned()
                        .unwrap_or_else(|| Value::Array(Vec::new())),
                    "{name}"
                );
                let events = statement.events().collect();
                assert_eq!(
                    decode().decode(message.as_bytes()).unwrap(),
                    Decoded::Events(events),
                    "{name}"
                );
            }
            "ignored" => assert!(read.unwrap().is_err(), "{name}"),
            _ => assert_eq!(read.unwrap_err().field(), vector["field"].as_str().unwrap(), "{name}"),
        }
        let may_differ = vector["schema"] == false;
        let is_valid = SCHEMA.is_valid(&vector["message"]);
        assert!(
            may_differ || is_valid == (vector["verdict"] != "error"),
            "{name}: the schema says {is_valid}"
        );
    }
}

/// The digests of the vectors come from another implementation.
#[test]
fn the_log_is_read_and_written_as_its_vectors_say() {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/revocation/log.json")).unwrap();
    let mut writer: Option<LogWriter> = None;
    for vector in vectors["messages"].as_array().unwrap() {
        let message = &vector["message"];
        assert!(SCHEMA.is_valid(message) || message["type"] == "rs.tower-revocation.something-new");
        let Some(LogPlace::Entry { position, prev, after }) =
            decode().decode_placed(message.to_string().as_bytes()).place
        else {
            panic!("{message} has its place");
        };
        assert_eq!(position.n, vector["n"].as_u64().unwrap());
        assert_eq!(position.digest.to_string(), vector["digest"].as_str().unwrap());
        assert_eq!(prev.to_string(), message["prev"].as_str().unwrap());
        assert_eq!(after.map(|after| after.n), message.get("aftern").map(|_| 3));
        // What other programs wrote in other words is gone on with all the same.
        writer = Some(match writer {
            Some(writer) if writer.position().log == position.log => writer,
            _ => LogWriter::begin(SOURCE, position.log, after),
        });
        let writer = writer.as_mut().unwrap();
        if let Ok(Ok(statement)) = decode().read(message.to_string().as_bytes()) {
            let id = message["id"].as_str().unwrap();
            let written: Value = serde_json::from_slice(&writer.write(id, &statement)).unwrap();
            if message["data"].get("keys").is_some() {
                assert_eq!(&written, message);
            }
        }
        *writer = LogWriter::go_on(SOURCE, position);
    }
    let heartbeat = &vectors["heartbeat"];
    assert!(SCHEMA.is_valid(&heartbeat["message"]));
    let placed = decode().decode_placed(heartbeat["message"].to_string().as_bytes());
    assert_eq!(
        placed.place,
        Some(LogPlace::End {
            position: writer.unwrap().position(),
            after: None,
            every: Duration::from_secs(1)
        })
    );
    assert!(matches!(placed.decoded, Ok(Decoded::Heartbeat(_))));
}

#[test]
fn a_log_that_continues_another_one_says_so_until_it_has_a_message() {
    let before = LogPosition {
        log: LogId::from_bytes([1; 16]),
        n: 7,
        digest: LogDigest::from_bytes([2; 16]),
    };
    let mut writer = LogWriter::begin(SOURCE, LogId::from_bytes([3; 16]), Some(before));
    let after = |message: &[u8]| {
        assert!(SCHEMA.is_valid(&serde_json::from_slice(message).unwrap()));
        match decode().decode_placed(message).place.unwrap() {
            LogPlace::Entry { after, .. } | LogPlace::End { after, .. } => after,
        }
    };
    let statement = Statement::block(Subject::session("s-1"));
    assert_eq!(
        after(&writer.heartbeat(Timestamp::now(), Duration::from_secs(1))),
        Some(before)
    );
    assert_eq!(after(&writer.write("1", &statement)), Some(before));
    assert_eq!(after(&writer.heartbeat(Timestamp::now(), Duration::from_secs(1))), None);
    assert_eq!(after(&writer.write("2", &statement)), None);
}

/// Its number stays taken, so that what follows is not taken for a loss beside the dead letter.
#[test]
fn what_cannot_be_read_has_its_place() {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/revocation/log.json")).unwrap();
    let mut message = vectors["messages"][0]["message"].clone();
    message["data"]["keys"][0]["kind"] = "of the future".into();
    let placed = decode().decode_placed(message.to_string().as_bytes());
    assert_eq!(placed.decoded.unwrap_err().field(), "data.kind");
    assert_eq!(placed.place.unwrap().position().n, 1);
    // Another issuer's log is not ours to follow.
    let other = RevocationEvents::from_source("https://other.example.com");
    assert_eq!(other.decode_placed(message.to_string().as_bytes()).place, None);
}

#[test]
fn what_is_no_json_object_is_an_error() {
    for message in ["", "]", "[]", "7", "\"text\""] {
        assert_eq!(
            decode().read(message.as_bytes()).unwrap_err().field(),
            "body",
            "{message}"
        );
    }
}

fn subjects() -> impl Strategy<Value = Subject> {
    ("\\PC{1,12}", "\\PC{1,12}", 0..8).prop_map(|(id, name, kind)| match kind {
        0 => Subject::token(&id),
        1 => Subject::subject(&id),
        2 => Subject::session(&id),
        3 => Subject::client(&id),
        4 => Subject::signing_key(&id),
        5 => Subject::tenant(&id),
        6 => Subject::named(&name, &id),
        _ => Subject::everything(),
    })
}

fn statements() -> impl Strategy<Value = Statement> {
    let reasons = [
        Reason::Unspecified,
        Reason::CessationOfOperation,
        Reason::KeyCompromise,
        Reason::PrivilegeWithdrawn,
        Reason::Superseded,
    ];
    let times = 0..253_402_207_200_000_u64;
    let parts = (
        proptest::collection::vec(subjects(), 1..5),
        proptest::collection::vec(subjects(), 0..6),
        0..3,
        times.clone(),
        proptest::option::of(times),
        proptest::sample::select(reasons.to_vec()),
    );
    parts.prop_map(|(mut subjects, spared, kind, at, until, reason)| {
        let first = subjects.remove(0);
        let statement = match kind {
            0 => Statement::block(first),
            1 => Statement::cut_off(first),
            _ => Statement::reinstate(first),
        };
        let statement = subjects.into_iter().fold(statement, Statement::and);
        let statement = spared.into_iter().fold(statement, Statement::sparing);
        let statement = statement.at(Timestamp::from_unix_millis(at)).because(reason);
        match until {
            Some(until) => statement.forget_at(Timestamp::from_unix_millis(until)),
            None => statement,
        }
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_and_the_schema_agrees(statement in statements(), id in "\\PC{1,12}") {
        let message = cloud_event(SOURCE, &id, &statement);
        prop_assert_eq!(decode().read(&message).unwrap(), Ok(statement));
        let message: Value = serde_json::from_slice(&message).unwrap();
        prop_assert!(SCHEMA.is_valid(&message), "{}", message);
        prop_assert_eq!(message["id"].as_str(), Some(id.as_str()));
    }

    /// Each event is of the kind that its subject is, and one event stands for each subject.
    #[test]
    fn a_statement_is_an_event_for_each_subject(statement in statements()) {
        let kinds: Vec<KeyKind> = statement.events().map(|event| event.key().kind()).collect();
        let expected: Vec<KeyKind> = statement.subjects().iter().map(Subject::kind).collect();
        prop_assert_eq!(kinds, expected);
    }
}

#[test]
fn ids_stay_out_of_logs() {
    let statement = Statement::block(Subject::subject("alice@example.com"));
    assert!(!format!("{statement:?}").contains("alice"));
}
