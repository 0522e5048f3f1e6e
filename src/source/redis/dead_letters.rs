//! Where messages are put aside.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult, cmd};
use tokio::sync::Mutex;

use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;

/// A stream of dead letters, on a connection of its own: the other one waits for messages most of the time.
pub(super) struct DeadLetters {
    client: Client,
    key: String,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl DeadLetters {
    pub(super) fn new(client: Client, key: String) -> Self {
        Self {
            client,
            key,
            connection: Mutex::new(None),
        }
    }

    /// Stores a letter, unless another replica did.
    pub(super) async fn store(&self, letter: &DeadLetter) -> Result<(), SourceError> {
        let stored = self.add(letter).await;
        if stored
            .as_ref()
            .is_err_and(|error| error.is_io_error() || error.is_unrecoverable_error())
        {
            *self.connection.lock().await = None;
        }
        stored.map_err(|error| SourceError::new(format!("cannot add to the stream {}", self.key)).because(error))
    }

    async fn add(&self, letter: &DeadLetter) -> RedisResult<()> {
        let mut connection = self.connected().await?;
        cmd("EVAL")
            .arg(ADD_ONCE)
            .arg(2)
            .arg(&self.key)
            .arg(self.mark(letter))
            .arg(&letter.payload[..])
            .arg(letter.to_json())
            .arg(REMEMBERED.as_secs())
            .query_async(&mut connection)
            .await
    }

    /// The connection stays until it breaks; servers may close those that are idle.
    async fn connected(&self) -> RedisResult<MultiplexedConnection> {
        let mut connection = self.connection.lock().await;
        match &*connection {
            Some(connection) => Ok(connection.clone()),
            None => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(TIMEOUT))
                    .set_response_timeout(Some(TIMEOUT));
                let new = self
                    .client
                    .get_multiplexed_async_connection_with_config(&config)
                    .await?;
                Ok(connection.insert(new).clone())
            }
        }
    }

    /// The key that says that the letter is stored. In braces, so that a cluster has it where the stream is.
    fn mark(&self, letter: &DeadLetter) -> String {
        let letter = letter.key().unwrap_or_default();
        match self.key.contains('{') {
            true => format!("{}:{letter}", self.key),
            false => format!("{{{}}}:{letter}", self.key),
        }
    }
}

/// The mark comes last: if there is no room for the letter, there must be no mark either.
const ADD_ONCE: &str = "\
if redis.call('EXISTS', KEYS[2]) == 0 then \
redis.call('XADD', KEYS[1], '*', 'payload', ARGV[1], 'json', ARGV[2]) \
redis.call('SET', KEYS[2], '', 'EX', ARGV[3]) \
end";

/// How long replicas may be apart in reading the same message.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

const TIMEOUT: Duration = Duration::from_secs(2);
