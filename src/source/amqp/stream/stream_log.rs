//! A stream as an issuer writes it and reads it back.

use std::time::Duration;

use bytes::Bytes;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use tokio::time::{Instant, timeout, timeout_at};

use crate::source::amqp::connection::{Connector, because, channel, short};
use crate::source::amqp::stream::connection::{Place, StreamConnection};
use crate::source::amqp::stream::consumer::{CREDIT, StreamMessages};
use crate::source::error::SourceError;

/// A stream, over one connection that publishes and another one that reads: a broker that is short of memory stops those that publish.
pub(crate) struct StreamLog {
    name: String,
    publishing: Channel,
    _connection: Connection,
    reading: StreamConnection,
    /// Reads on behind what was read.
    tail: Option<StreamMessages>,
}

impl StreamLog {
    /// Connects, and makes the stream if there is none. Says in what it is another one than would be made.
    pub(crate) async fn open(
        connect: &Connector,
        name: &str,
        retention: Duration,
    ) -> Result<(Self, Option<String>), SourceError> {
        let connection = connect.connect().await?;
        let other = declare(&connection, name, retention).await?;
        let reading = StreamConnection::open(connect, name).await?;
        let publishing = channel(&connection).await?;
        let confirms = publishing.confirm_select(ConfirmSelectOptions::default()).await;
        confirms.map_err(because("cannot have publications confirmed"))?;
        let log = Self {
            name: name.to_owned(),
            publishing,
            _connection: connection,
            reading,
            tail: None,
        };
        Ok((log, other))
    }

    /// Publishes messages in their order, and returns once all are confirmed, and none came back since the stream took it not.
    pub(crate) async fn append(&mut self, messages: &[(&str, &[u8])]) -> Result<(), SourceError> {
        let attempt = || format!("cannot publish to stream {}", self.name);
        let mut under_way = Vec::with_capacity(messages.len());
        for (id, message) in messages {
            let published = self.publishing.basic_publish(
                "".into(),
                short(&self.name)?,
                // Otherwise what no stream takes is confirmed as well.
                BasicPublishOptions {
                    mandatory: true,
                    ..BasicPublishOptions::default()
                },
                message,
                BasicProperties::default()
                    .with_delivery_mode(PERSISTENT)
                    .with_message_id(short(id)?),
            );
            under_way.push(published.await.map_err(because(attempt()))?);
        }
        for confirmation in under_way {
            match confirmation.await.map_err(because(attempt()))? {
                Confirmation::Ack(None) => {}
                Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => {
                    return Err(SourceError::new(attempt()).because(returned.reply_text.to_string()));
                }
                Confirmation::Nack(None) | Confirmation::NotRequested => {
                    return Err(SourceError::new(attempt()).because("the broker does not confirm it"));
                }
            }
        }
        Ok(())
    }

    /// Returns the newest messages, `most` at most, the oldest first. What comes afterwards is [next](Self::next).
    pub(crate) async fn newest(&mut self, most: usize) -> Result<Vec<Bytes>, SourceError> {
        self.tail = None;
        let Some(newest) = self.reading.newest().await? else {
            self.tail = Some(self.reading.read(Place::Oldest, CREDIT).await?);
            return Ok(Vec::new());
        };
        let from = newest.saturating_sub(most as u64);
        let mut messages = self.reading.read(Place::At(from), CREDIT).await?;
        let mut found = Vec::new();
        loop {
            let late = |_| SourceError::new(format!("stream {} does not give its newest message", self.name));
            let message = timeout(PATIENCE, messages.next()).await.map_err(late)??;
            found.push(Bytes::from(message.delivery.data));
            if message.offset >= newest {
                break;
            }
        }
        messages.flush();
        self.tail = Some(messages);
        Ok(found)
    }

    /// Waits for the next message, until then at most.
    pub(crate) async fn next(&mut self, until: Instant) -> Result<Option<Bytes>, SourceError> {
        let Some(tail) = &mut self.tail else {
            return Ok(None);
        };
        match timeout_at(until, tail.next()).await {
            Ok(message) => {
                tail.flush();
                Ok(Some(Bytes::from(message?.delivery.data)))
            }
            Err(_late) => Ok(None),
        }
    }
}

/// Makes the stream, or says what of its settings is another.
async fn declare(connection: &Connection, name: &str, retention: Duration) -> Result<Option<String>, SourceError> {
    let mut arguments = FieldTable::default();
    let text = |text: String| AMQPValue::LongString(text.into());
    arguments.insert("x-queue-type".into(), text("stream".to_owned()));
    arguments.insert("x-max-age".into(), text(format!("{}s", retention.as_secs())));
    let declared = channel(connection)
        .await?
        .queue_declare(short(name)?, QueueDeclareOptions::durable(), arguments)
        .await;
    match declared {
        Ok(_) => Ok(None),
        Err(error) => {
            let words = error.to_string();
            // It is there, and made in another way; or this user may make none, and whether it is there shows next.
            match words.contains("inequivalent arg") || words.contains("ACCESS_REFUSED") {
                true => Ok(words.contains("inequivalent arg").then_some(words)),
                false => Err(because(format!("cannot make stream {name}"))(error)),
            }
        }
    }
}

const PERSISTENT: u8 = 2;

/// How long to wait for a message that is there.
const PATIENCE: Duration = Duration::from_secs(3);
