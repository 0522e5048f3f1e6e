//! RabbitMQ: a stream, or an exchange with a queue for each gateway.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, ConnectionProperties, ExchangeKind};

use tower_revocation::source::amqp::{AmqpQueue, AmqpStream};

use crate::Failure;

/// A connection to publish with.
pub(crate) struct Connection {
    channel: Channel,
    exchange: String,
    routing_key: String,
    /// Whether a message that no queue takes is an error. A stream takes all, except while the broker starts.
    is_mandatory: bool,
    /// Ends when it is dropped.
    _connection: lapin::Connection,
}

impl Connection {
    pub(crate) async fn to_stream(server: &str, stream: &str, dead_letters: Option<&str>) -> Result<Self, Failure> {
        let (connection, channel) = open(server, dead_letters).await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("stream".into()));
        arguments.insert("x-max-age".into(), AMQPValue::LongString("7D".into()));
        channel.queue_declare(stream.into(), durable(), arguments).await?;
        Ok(Self {
            channel,
            exchange: String::new(),
            routing_key: stream.to_owned(),
            is_mandatory: true,
            _connection: connection,
        })
    }

    pub(crate) async fn to_exchange(server: &str, exchange: &str, dead_letters: Option<&str>) -> Result<Self, Failure> {
        let (connection, channel) = open(server, dead_letters).await?;
        let options = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        channel
            .exchange_declare(exchange.into(), ExchangeKind::Fanout, options, FieldTable::default())
            .await?;
        Ok(Self {
            channel,
            exchange: exchange.to_owned(),
            routing_key: String::new(),
            // Without any gateway there is no queue.
            is_mandatory: false,
            _connection: connection,
        })
    }

    pub(crate) async fn publish(&mut self, message: &[u8]) -> Result<(), Failure> {
        let options = BasicPublishOptions {
            mandatory: self.is_mandatory,
            ..BasicPublishOptions::default()
        };
        // Survives a restart of the broker.
        let properties = BasicProperties::default().with_delivery_mode(2);
        let (exchange, routing_key) = (self.exchange.as_str().into(), self.routing_key.as_str().into());
        let publishing = self
            .channel
            .basic_publish(exchange, routing_key, options, message, properties);
        match publishing.await?.await? {
            Confirmation::Ack(None) => Ok(()),
            // RabbitMQ acknowledges what it could not route.
            Confirmation::Ack(Some(_)) => Err("no queue took the message".into()),
            other => Err(format!("not confirmed: {other:?}").into()),
        }
    }
}

async fn open(server: &str, dead_letters: Option<&str>) -> Result<(lapin::Connection, Channel), Failure> {
    let connection = connect(server).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    if let Some(name) = dead_letters {
        channel
            .queue_declare(name.into(), durable(), FieldTable::default())
            .await?;
    }
    Ok((connection, channel))
}

fn durable() -> QueueDeclareOptions {
    QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    }
}

/// The feed of one gateway, from a stream. The server need not be there yet.
pub(crate) fn stream(server: &str, stream: &str, dead_letters: Option<&str>) -> AmqpStream {
    let source = AmqpStream::new(connector(server), stream);
    match dead_letters {
        Some(queue) => source.with_dead_letters("", queue),
        None => source,
    }
}

/// The feed of one gateway, through a queue of its own at an exchange.
pub(crate) fn queue(server: &str, exchange: &str, replica: &str, dead_letters: Option<&str>) -> AmqpQueue {
    let source = AmqpQueue::new(connector(server), exchange, replica);
    match dead_letters {
        Some(queue) => source.with_dead_letters("", queue),
        None => source,
    }
}

fn connector(
    server: &str,
) -> impl Fn() -> BoxFuture<'static, lapin::Result<lapin::Connection>> + Send + Sync + 'static {
    let server = server.to_owned();
    move || {
        let server = server.clone();
        async move { connect(&server).await }.boxed()
    }
}

async fn connect(server: &str) -> lapin::Result<lapin::Connection> {
    // Without a virtual host in its path, it means the one that is named by a slash.
    lapin::Connection::connect(&format!("{server}/%2f?heartbeat=2"), ConnectionProperties::default()).await
}
