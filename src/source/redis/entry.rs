//! Entries of a stream.

use std::fmt;
use std::hash::{Hash, Hasher};

use redis::Value;

use crate::model::timestamp::Timestamp;
use crate::source::landmark;

/// An entry as far as it matters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StreamEntry {
    pub(super) id: Id,
    pub(super) digest: u64,
    /// Empty if it lacks the field.
    pub(super) payload: Vec<u8>,
}

/// By what an entry is recognized: its number, and a digest of all that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) id: Id,
    pub(super) digest: u64,
}

/// The number of an entry: the server's milliseconds in the upper half, and a count within them in the lower. They grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(pub(super) u128);

impl Id {
    /// The lowest that an entry may have which was added at that time.
    pub(super) const fn first_at(time: Timestamp) -> Self {
        Self((time.as_unix_millis() as u128) << 64)
    }

    pub(super) const fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    pub(super) const fn after(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    pub(super) fn read(value: &Value) -> Option<Self> {
        let Value::BulkString(text) = value else {
            return None;
        };
        let (millis, count) = str::from_utf8(text).ok()?.split_once('-')?;
        let (millis, count): (u64, u64) = (millis.parse().ok()?, count.parse().ok()?);
        Some(Self(u128::from(millis) << 64 | u128::from(count)))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", (self.0 >> 64) as u64, self.0 as u64)
    }
}

/// By what to recognize an entry as the server describes it, `[id, [field, value, …]]`.
pub(super) fn mark(entry: &Value) -> Option<Mark> {
    let Value::Array(parts) = entry else {
        return None;
    };
    let (id, Value::Array(fields)) = (Id::read(parts.first()?)?, parts.get(1)?) else {
        return None;
    };
    let digest = landmark::hash(Fields(fields));
    Some(Mark { id, digest })
}

/// Names and values, as they are hashed.
struct Fields<'a>(&'a [Value]);

impl Hash for Fields<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for field in self.0 {
            if let Value::BulkString(text) = field {
                text.hash(state);
            }
        }
    }
}

/// The entries in an answer to `XREAD` for one stream, none if it waited in vain; `None` if it is no such answer.
///
/// Taken apart by hand: the client's own types copy the answer once or twice, which doubles the time that reading takes.
pub(super) fn entries(answer: Value, field: &[u8]) -> Option<Vec<StreamEntry>> {
    let entries = match answer {
        Value::Nil => return Some(Vec::new()),
        // The older protocol has `[[key, entries]]`, the newer one `{key: entries}`.
        Value::Array(mut streams) => match streams.pop()? {
            Value::Array(mut stream) => stream.pop()?,
            _ => return None,
        },
        Value::Map(mut streams) => streams.pop()?.1,
        _ => return None,
    };
    let Value::Array(entries) = entries else {
        return None;
    };
    entries.into_iter().map(|entry| self::entry(entry, field)).collect()
}

fn entry(entry: Value, field: &[u8]) -> Option<StreamEntry> {
    let Mark { id, digest } = mark(&entry)?;
    let Value::Array(mut parts) = entry else {
        return None;
    };
    let Value::Array(fields) = parts.pop()? else {
        return None;
    };
    let mut fields = fields.into_iter();
    let mut payload = Vec::new();
    while let (Some(Value::BulkString(name)), Some(Value::BulkString(value))) = (fields.next(), fields.next()) {
        if name == field {
            payload = value;
            break;
        }
    }
    Some(StreamEntry { id, digest, payload })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn list<const N: usize>(values: [Value; N]) -> Value {
        Value::Array(values.into())
    }

    #[test]
    fn both_protocols_are_read_and_the_field_is_found() {
        let found = || {
            let one = list([text("1-0"), list([text("x"), text("no"), text("d"), text("yes")])]);
            let other = list([text("18446744073709551615-7"), list([text("x"), text("d")])]);
            list([one, other])
        };
        let expected = vec![
            (Id(1 << 64), b"yes".to_vec()),
            (Id(u128::from(u64::MAX) << 64 | 7), Vec::new()),
        ];
        let read = |answer| {
            let entries = entries(answer, b"d").unwrap().into_iter();
            entries.map(|entry| (entry.id, entry.payload)).collect::<Vec<_>>()
        };
        assert_eq!(read(list([list([text("key"), found()])])), expected);
        assert_eq!(read(Value::Map(vec![(text("key"), found())])), expected);
        assert_eq!(entries(Value::Nil, b"d"), Some(Vec::new()));
    }

    #[test]
    fn another_answer_is_none() {
        for answer in [
            Value::Okay,
            list([]),
            list([text("key")]),
            list([list([text("key"), list([list([text("1"), list([])])])])]),
            list([list([text("key"), list([text("1-1")])])]),
        ] {
            assert_eq!(entries(answer, b"d"), None);
        }
    }

    #[test]
    fn another_entry_is_told_by_all_that_it_holds() {
        let of = |fields: &[&str]| {
            let fields = fields.iter().map(|field| text(field)).collect();
            mark(&list([text("1-0"), Value::Array(fields)])).unwrap()
        };
        let known = of(&["d", "alice", "by", "bob"]);
        assert_eq!(of(&["d", "alice", "by", "bob"]), known);
        for other in [
            of(&["d", "alice", "by", "carol"]),
            of(&["d", "alice"]),
            of(&["d", "alicebybob"]),
        ] {
            assert_eq!(other.id, known.id);
            assert_ne!(other.digest, known.digest);
        }
        assert_eq!(mark(&Value::Nil), None);
    }

    #[test]
    fn numbers_are_written_as_the_server_writes_them_and_step_over_milliseconds() {
        let first = Id::first_at(Timestamp::from_unix_millis(1_767_225_600_250));
        assert_eq!(first.to_string(), "1767225600250-0");
        assert_eq!(first.before().to_string(), "1767225600249-18446744073709551615");
        assert_eq!(first.before().after(), first);
        assert_eq!(Id::default().before(), Id::default());
    }
}
