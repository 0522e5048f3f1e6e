//! RabbitMQ streams.

use std::time::Duration;

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, Consumer};
use tokio::time::{sleep, timeout};
use tower_revocation::issuer::{AmqpPublisher, Publisher as IssuerPublisher};
use tower_revocation::source::amqp::AmqpStream as Source;

use crate::adapters::amqp::{
    DEAD_LETTERS, Publisher, connect, connector, dead_letters, declare_dead_letters, declared,
};
use crate::broker::Broker;
use crate::issuer::PublishedTo;
use crate::server::RabbitServer;

/// A server with a stream for revocations, and a queue for dead letters.
pub(crate) struct AmqpStream {
    server: RabbitServer,
    publisher: Publisher,
}

impl Broker for AmqpStream {
    type Source = Source;

    const NAME: &str = "amqp stream";

    async fn start() -> Self {
        let server = RabbitServer::start().await;
        let publisher = Publisher::new(server.port(), "", STREAM);
        let broker = Self { server, publisher };
        broker.declare().await;
        broker
    }

    fn port(&self) -> u16 {
        self.server.port()
    }

    async fn source(&self, port: u16, _replica: &str) -> Source {
        Source::new(connector(port), STREAM).with_dead_letters("", DEAD_LETTERS)
    }

    async fn publish(&self, messages: Vec<Vec<u8>>) {
        self.publisher.publish(&messages, BasicProperties::default()).await;
    }

    async fn dead_letters(&self) -> Vec<(Vec<u8>, String)> {
        dead_letters(self.port()).await
    }

    async fn kill(&mut self) {
        self.server.kill().await;
    }

    async fn restart(&mut self) {
        self.server.restart().await;
    }

    fn freeze(&mut self) {
        self.server.freeze();
    }

    fn thaw(&mut self) {
        self.server.thaw();
    }

    async fn wipe(&mut self) {
        self.server.wipe().await;
        self.declare().await;
    }

    /// A stream drops old messages only when it has grown past its limit: so it is made to, by copies of what is to
    /// stay. They are large, but not to whoever reads no headers.
    async fn trim(&mut self, rest: usize) {
        let mut payloads = self.payloads().await;
        let rest = payloads.split_off(payloads.len() - rest);
        let mut headers = FieldTable::default();
        headers.insert("padding".into(), AMQPValue::LongString(vec![b'.'; PADDING].into()));
        let copies = vec![rest[0].clone(); usize::try_from(ROOM).unwrap() / PADDING + 100];
        self.publisher
            .publish(&copies, BasicProperties::default().with_headers(headers))
            .await;
        self.publish(rest).await;
        while self.oldest().await < payloads.len() as i64 {
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn read_bare(&self, count: usize) {
        let connection = connect(self.port()).await.unwrap();
        let mut consumer = read_from_the_first(&connection).await;
        for i in 1..=count {
            let message = consumer.next().await.unwrap().unwrap();
            // To ack each of them takes three times as long.
            if i % 64 == 0 {
                message.ack(BasicAckOptions { multiple: true }).await.unwrap();
            }
        }
    }
}

impl PublishedTo for AmqpStream {
    const WARNINGS: &[&str] = &[];

    async fn publisher(&self) -> impl IssuerPublisher {
        AmqpPublisher::new(connector(self.port()), STREAM)
    }

    fn keep(&self) {
        self.server.keep();
    }

    async fn put_back(&mut self) {
        self.server.put_back().await;
    }
}

impl AmqpStream {
    /// As a deployment would, once.
    async fn declare(&self) {
        declared(async || {
            let connection = connect(self.port()).await?;
            let channel = connection.create_channel().await?;
            let mut arguments = FieldTable::default();
            arguments.insert("x-queue-type".into(), AMQPValue::LongString("stream".into()));
            arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(ROOM));
            arguments.insert(
                "x-stream-max-segment-size-bytes".into(),
                AMQPValue::LongLongInt(ROOM / 8),
            );
            channel
                .queue_declare(STREAM.into(), QueueDeclareOptions::durable(), arguments)
                .await?;
            declare_dead_letters(&channel).await
        })
        .await;
    }

    /// All messages that are there.
    async fn payloads(&self) -> Vec<Vec<u8>> {
        let connection = connect(self.port()).await.unwrap();
        let mut consumer = read_from_the_first(&connection).await;
        let mut payloads = Vec::new();
        while let Ok(Some(message)) = timeout(Duration::from_secs(1), consumer.next()).await {
            let message = message.unwrap();
            message.ack(BasicAckOptions::default()).await.unwrap();
            payloads.push(message.data);
        }
        payloads
    }

    async fn oldest(&self) -> i64 {
        let connection = connect(self.port()).await.unwrap();
        let mut consumer = read_from_the_first(&connection).await;
        offset(&consumer.next().await.unwrap().unwrap())
    }
}

async fn read_from_the_first(connection: &Connection) -> Consumer {
    let channel = connection.create_channel().await.unwrap();
    channel.basic_qos(1_000, BasicQosOptions::default()).await.unwrap();
    let mut arguments = FieldTable::default();
    arguments.insert("x-stream-offset".into(), AMQPValue::LongString("first".into()));
    let consumer = channel.basic_consume(STREAM.into(), "".into(), BasicConsumeOptions::default(), arguments);
    consumer.await.unwrap()
}

fn offset(message: &Delivery) -> i64 {
    let headers = message.properties.headers().as_ref().unwrap();
    headers.inner()["x-stream-offset"].as_long_long_int().unwrap()
}

const STREAM: &str = "revocations";

/// More than 100,000 messages of a test take.
const ROOM: i64 = 32 << 20;
const PADDING: usize = 100 << 10;
