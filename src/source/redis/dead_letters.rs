//! Where messages are put aside.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Client, RedisError, RedisResult, cmd};
use tokio::sync::Mutex;

use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;
use crate::source::log::{LogDeadLetters, Storing};
use crate::source::redis::connection::connect;

/// A stream of dead letters, on a connection of its own: the other one waits for messages most of the time.
pub(super) struct RedisDeadLetters {
    client: Client,
    key: String,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl RedisDeadLetters {
    pub(super) fn new(client: Client, key: String) -> Self {
        Self {
            client,
            key,
            connection: Mutex::new(None),
        }
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
                let new = connect(&self.client, TIMEOUT).await?;
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

impl LogDeadLetters for RedisDeadLetters {
    /// Stores a letter, unless another replica did.
    fn store<'s>(&'s self, letter: &'s DeadLetter) -> Storing<'s> {
        Box::pin(async {
            let stored = self.add(letter).await;
            let is_broken = |error: &RedisError| error.is_io_error() || error.is_unrecoverable_error();
            if stored.as_ref().is_err_and(is_broken) {
                *self.connection.lock().await = None;
            }
            stored.map_err(|error| SourceError::new(format!("cannot add to the stream {}", self.key)).because(error))
        })
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
