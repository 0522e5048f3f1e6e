//! Redis streams.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tower_revocation::Timestamp;
use tower_revocation::source::redis::RedisSource;

use crate::Failure;

/// A connection to publish with.
pub(crate) struct Connection {
    connection: MultiplexedConnection,
    key: String,
}

impl Connection {
    pub(crate) async fn open(server: &str, key: &str) -> Result<Self, Failure> {
        let connection = redis::Client::open(server)?.get_multiplexed_async_connection().await?;
        Ok(Self {
            connection,
            key: key.to_owned(),
        })
    }

    pub(crate) async fn publish(&mut self, message: &[u8]) -> Result<(), Failure> {
        // What is older is in the list.
        let oldest = Timestamp::now().saturating_sub(RETENTION).as_unix_millis();
        redis::cmd("XADD")
            .arg(&self.key)
            .arg("MINID")
            .arg("~")
            .arg(oldest)
            .arg("*")
            .arg("d")
            .arg(message)
            .query_async::<String>(&mut self.connection)
            .await?;
        Ok(())
    }
}

/// The feed of one gateway. The server need not be there yet.
pub(crate) fn source(server: &str, key: &str, dead_letters: Option<&str>) -> Result<RedisSource, Failure> {
    let source = RedisSource::new(redis::Client::open(server)?, key);
    Ok(match dead_letters {
        Some(key) => source.with_dead_letters(key),
        None => source,
    })
}

const RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);
