//! RabbitMQ queues, one for each replica.

use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, ExchangeKind};
use tower_revocation::source::amqp::AmqpQueue as Source;
use tower_revocation::source::testing::Capability;

use crate::adapters::amqp::{
    DEAD_LETTERS, Publisher, connect, connector, dead_letters, declare_dead_letters, declared,
};
use crate::broker::Broker;
use crate::server::RabbitServer;

/// A server with an exchange for revocations, and a queue for dead letters. Somebody else has a queue at the exchange as well.
pub(crate) struct AmqpQueue {
    server: RabbitServer,
    publisher: Publisher,
}

impl Broker for AmqpQueue {
    type Source = Source;

    const NAME: &str = "amqp queue";

    const LACKS: &[Capability] = &[Capability::ReadAgain, Capability::Trim];

    async fn start() -> Self {
        let server = RabbitServer::start().await;
        let publisher = Publisher::new(server.port(), EXCHANGE, "");
        let broker = Self { server, publisher };
        broker.declare().await;
        broker
    }

    fn port(&self) -> u16 {
        self.server.port()
    }

    async fn source(&self, port: u16, replica: &str) -> Source {
        Source::new(connector(port), EXCHANGE, replica).with_dead_letters("", DEAD_LETTERS)
    }

    async fn publish(&self, messages: Vec<Vec<u8>>) {
        let properties = BasicProperties::default().with_delivery_mode(2);
        self.publisher.publish(&messages, properties).await;
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

    async fn trim(&mut self, _rest: usize) {
        panic!("a queue holds what its reader has not acknowledged, and the broker drops none of it");
    }

    /// From the queue that was there before anything was published; so each message once.
    async fn read_bare(&self, count: usize) {
        let connection = connect(self.port()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.basic_qos(1_000, BasicQosOptions::default()).await.unwrap();
        let consumer = channel.basic_consume(
            OTHER.into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let mut consumer = consumer.await.unwrap();
        for _ in 0..count {
            let message = consumer.next().await.unwrap().unwrap();
            message.ack(BasicAckOptions::default()).await.unwrap();
        }
    }
}

impl AmqpQueue {
    /// As a deployment would, once.
    async fn declare(&self) {
        declared(async || {
            let connection = connect(self.port()).await?;
            let channel = connection.create_channel().await?;
            let durable = ExchangeDeclareOptions {
                durable: true,
                ..ExchangeDeclareOptions::default()
            };
            let exchange =
                channel.exchange_declare(EXCHANGE.into(), ExchangeKind::Fanout, durable, FieldTable::default());
            exchange.await?;
            let mut arguments = FieldTable::default();
            arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
            channel
                .queue_declare(OTHER.into(), QueueDeclareOptions::durable(), arguments)
                .await?;
            let bound = channel.queue_bind(
                OTHER.into(),
                EXCHANGE.into(),
                "".into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            );
            bound.await?;
            declare_dead_letters(&channel).await
        })
        .await;
    }
}

const EXCHANGE: &str = "revocations";
const OTHER: &str = "somebody-else";
