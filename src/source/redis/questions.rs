//! What a server is asked.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{try_join, try_join_all};
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Value, cmd};

use crate::source::redis::entry::{Id, Mark, mark};
use crate::source::redis::info::Info;
use crate::source::redis::replication::Replication;

/// What a server answers to a question of the reader's.
pub(super) enum StreamAnswer {
    Entries(Value),
    Look(StreamLook),
}

/// How server and stream are.
pub(super) struct StreamLook {
    pub(super) replication: Replication,
    pub(super) info: Info,
}

/// Asks how server and stream are. Both answers are of one time, since the server takes one question after the other.
pub(super) async fn look(connection: MultiplexedConnection, key: Arc<str>) -> RedisResult<StreamLook> {
    let (mut first, mut second) = (connection.clone(), connection);
    let asked = try_join(Replication::ask(&mut first), Info::ask(&mut second, &key));
    let (replication, info) = asked.await?;
    Ok(StreamLook { replication, info })
}

/// Asks for so many entries after a place, and waits for the first of them.
pub(super) async fn read(
    mut connection: MultiplexedConnection,
    key: Arc<str>,
    after: Id,
    count: usize,
) -> RedisResult<Value> {
    cmd("XREAD")
        .arg("COUNT")
        .arg(count)
        .arg("BLOCK")
        .arg(BLOCK.as_millis() as u64)
        .arg("STREAMS")
        .arg(&*key)
        .arg(after.to_string())
        .query_async(&mut connection)
        .await
}

/// Asks what the stream has under these numbers.
pub(super) async fn there(
    connection: &MultiplexedConnection,
    key: &str,
    ids: impl IntoIterator<Item = Id>,
) -> RedisResult<Vec<Mark>> {
    let asked = ids.into_iter().map(async |id| {
        let id = id.to_string();
        let range = cmd("XRANGE").arg(key).arg(&id).arg(&id).to_owned();
        range.query_async::<Vec<Value>>(&mut connection.clone()).await
    });
    let found = try_join_all(asked).await?;
    Ok(found.iter().flatten().filter_map(mark).collect())
}

/// How long the server waits for the first entry. Its answer is the sign of life.
pub(super) const BLOCK: Duration = Duration::from_secs(1);
