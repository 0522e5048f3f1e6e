//! Where messages go that can never be applied.

use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::source::amqp::connection::{Connector, because, channel, short};
use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;
use crate::source::log::{LogDeadLetters, Storing};

/// The place that the host named for them.
pub(super) struct AmqpDeadLetters {
    connect: Connector,
    exchange: String,
    routing_key: String,
    /// Locked from publication to confirmation. With two under way, the client may take the return of one for the
    /// other's.
    publisher: Mutex<Option<LetterChannel>>,
}

/// A connection of its own: a broker that is short of memory stops those that publish, and reading has to go on.
struct LetterChannel {
    channel: Channel,
    _connection: Connection,
}

impl AmqpDeadLetters {
    pub(super) fn new(connect: Connector, exchange: String, routing_key: String) -> Self {
        Self {
            connect,
            exchange,
            routing_key,
            publisher: Mutex::new(None),
        }
    }

    pub(super) fn exchange(&self) -> &str {
        &self.exchange
    }

    pub(super) fn routing_key(&self) -> &str {
        &self.routing_key
    }

    /// Publishes one under an id, and returns once the broker has it in a queue.
    pub(super) async fn store_as(&self, letter: &DeadLetter, message_id: Option<&str>) -> Result<(), SourceError> {
        let mut publisher = self.publisher.lock().await;
        // Whatever is under way when this is dropped or fails: the next one starts over.
        let current = publisher.take();
        let stored = async {
            let current = match current {
                Some(current) if current.channel.status().connected() => current,
                _ => LetterChannel::connect(&self.connect).await?,
            };
            self.publish(&current.channel, letter, message_id).await?;
            Ok(current)
        };
        let late = |_| SourceError::new(format!("the dead letter is not confirmed within {PATIENCE:?}"));
        *publisher = Some(timeout(PATIENCE, stored).await.map_err(late)??);
        Ok(())
    }

    async fn publish(
        &self,
        channel: &Channel,
        letter: &DeadLetter,
        message_id: Option<&str>,
    ) -> Result<(), SourceError> {
        let attempt = "cannot publish the dead letter";
        let published = channel.basic_publish(
            short(&self.exchange)?,
            short(&self.routing_key)?,
            // Otherwise what no queue takes is confirmed as well.
            BasicPublishOptions {
                mandatory: true,
                ..BasicPublishOptions::default()
            },
            &letter.payload,
            properties(letter, message_id),
        );
        let confirmed = published.await.map_err(because(attempt))?;
        match confirmed.await.map_err(because(attempt))? {
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => {
                Err(SourceError::new(attempt).because(returned.reply_text.to_string()))
            }
            Confirmation::Nack(None) | Confirmation::NotRequested => {
                Err(SourceError::new(attempt).because("the broker does not confirm it"))
            }
        }
    }
}

impl LetterChannel {
    async fn connect(connect: &Connector) -> Result<Self, SourceError> {
        let connection = connect.connect().await?;
        let channel = channel(&connection).await?;
        let confirms = channel.confirm_select(ConfirmSelectOptions::default()).await;
        confirms.map_err(because("cannot have publications confirmed"))?;
        Ok(Self {
            channel,
            _connection: connection,
        })
    }
}

impl LogDeadLetters for AmqpDeadLetters {
    /// Stores a letter, under an id that is the same for all replicas.
    fn store<'s>(&'s self, letter: &'s DeadLetter) -> Storing<'s> {
        Box::pin(async { self.store_as(letter, letter.key().as_deref()).await })
    }
}

fn properties(letter: &DeadLetter, message_id: Option<&str>) -> BasicProperties {
    let mut headers = FieldTable::default();
    let mut say = |name: &str, value: String| {
        headers.insert(name.into(), AMQPValue::LongString(value.into()));
    };
    say("reason", letter.reason.clone());
    say("replica", letter.replica.clone());
    say("at", letter.at.as_unix_secs().to_string());
    say("attempts", letter.attempts.to_string());
    say("source", letter.source.clone());
    if let Some(position) = letter.position {
        say("position", position.to_string());
    }
    let properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_timestamp(letter.at.as_unix_secs())
        .with_headers(headers);
    match message_id.map(ShortString::try_new) {
        Some(Ok(message_id)) => properties.with_message_id(message_id),
        _ => properties,
    }
}

const PERSISTENT: u8 = 2;
const PATIENCE: Duration = Duration::from_secs(10);
