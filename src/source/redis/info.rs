//! What the server knows about a stream.

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult, Value, cmd, from_redis_value_ref};

use crate::source::redis::entry::{Id, Mark, mark};

/// What the server knows about a stream. A stream that is not there is an empty one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Info {
    /// How many entries it holds.
    pub(super) length: u64,
    /// How many were ever added; servers before Redis 7.0 do not say.
    pub(super) added: Option<u64>,
    /// The oldest entry that it holds.
    pub(super) first: Option<Id>,
    /// The newest entry that it holds.
    pub(super) last: Option<Mark>,
    /// The newest that was ever deleted, by other means than trimming; servers before Redis 7.0 do not say.
    pub(super) deleted: Option<Id>,
    /// The newest that was ever added, whether or not it is still there.
    pub(super) newest: Id,
}

impl Info {
    pub(super) async fn ask(connection: &mut MultiplexedConnection, key: &str) -> RedisResult<Self> {
        // All of it in one answer, and so as of one time. As a map, since the client's own type lacks the count.
        let asked = cmd("XINFO").arg("STREAM").arg(key).query_async(connection).await;
        match asked {
            Ok(fields) => Self::read(&fields),
            Err(error) if is_missing(&error) => Ok(Self {
                added: Some(0),
                ..Self::default()
            }),
            Err(error) => Err(error),
        }
    }

    fn read(fields: &HashMap<String, Value>) -> RedisResult<Self> {
        let number = |name| fields.get(name).map(from_redis_value_ref::<u64>).transpose();
        let known = |name| fields.get(name).and_then(Id::read);
        Ok(Self {
            length: number("length")?.unwrap_or_default(),
            added: number("entries-added")?,
            first: fields.get("first-entry").and_then(mark).map(|first| first.id),
            last: fields.get("last-entry").and_then(mark),
            deleted: known("max-deleted-entry-id").filter(|deleted| *deleted != Id::default()),
            newest: known("last-generated-id").unwrap_or_default(),
        })
    }
}

/// The server has no code of its own for it.
fn is_missing(error: &RedisError) -> bool {
    error.detail().is_some_and(|detail| detail.contains("no such key"))
}
