//! Where messages are put aside.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Client, RedisError, RedisResult, cmd};
use tokio::sync::Mutex;

use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;
use crate::source::log::{LogDeadLetters, Storing};
use crate::source::redis::connection::{ClientProvider, Node, connect, words};

/// A stream of dead letters, on a connection of its own: the other one waits for messages most of the time.
pub(super) struct RedisDeadLetters {
    clients: ClientProvider,
    key: String,
    place: Mutex<LetterBox>,
}

/// Where the stream of dead letters is: in a cluster it may be elsewhere than the one that is read.
struct LetterBox {
    /// If it is not where the host's client is for.
    node: Option<Node>,
    connection: Option<(Client, MultiplexedConnection)>,
}

impl RedisDeadLetters {
    pub(super) fn new(clients: ClientProvider, node: Option<Node>, key: String) -> Self {
        let place = LetterBox { node, connection: None };
        Self {
            clients,
            key,
            place: Mutex::new(place),
        }
    }

    async fn add(&self, connection: &mut MultiplexedConnection, letter: &DeadLetter) -> RedisResult<()> {
        cmd("EVAL")
            .arg(ADD_ONCE)
            .arg(2)
            .arg(&self.key)
            .arg(self.mark(letter))
            .arg(&letter.payload[..])
            .arg(letter.to_json())
            .arg(REMEMBERED.as_secs())
            .query_async(connection)
            .await
    }

    /// The connection stays until it breaks; servers may close those that are idle.
    async fn connected(&self) -> RedisResult<(Client, MultiplexedConnection)> {
        let mut place = self.place.lock().await;
        if let Some(connection) = &place.connection {
            return Ok(connection.clone());
        }
        let client = self.clients.client().await?;
        let client = match &place.node {
            Some(node) => node.client_like(&client)?,
            None => client,
        };
        let connection = connect(&client, TIMEOUT).await?;
        Ok(place.connection.insert((client, connection)).clone())
    }

    async fn store_at_its_place(&self, letter: &DeadLetter) -> RedisResult<()> {
        let (client, mut connection) = self.connected().await?;
        let stored = self.add(&mut connection, letter).await;
        if let Err(error) = &stored {
            let moved = Node::moved(error, &client);
            let is_demoted = error.code() == Some("READONLY");
            if moved.is_some() || is_demoted || error.is_io_error() || error.is_unrecoverable_error() {
                let mut place = self.place.lock().await;
                place.connection = None;
                place.node = moved.or_else(|| place.node.take());
            }
        }
        stored
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
            let mut stored = self.store_at_its_place(letter).await;
            // It is known now where it is.
            if stored.as_ref().is_err_and(|error| error.code() == Some("MOVED")) {
                stored = self.store_at_its_place(letter).await;
            }
            stored.map_err(|error: RedisError| {
                SourceError::new(format!("cannot add to the stream {}", self.key)).because(words(&error))
            })
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
