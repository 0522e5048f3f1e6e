//! What is special about RabbitMQ.

mod alarm;
mod cluster;
mod kept;
mod slow;
mod tls;

use std::time::{Duration, Instant};

use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, ExchangeKind};
use tokio::time::sleep;
use tower_revocation::{FeedState, Timestamp};

use crate::adapters::{AmqpStream, Publisher, connect, declare_dead_letters, declared};
use crate::broker::Broker;
use crate::limit::in_time;
use crate::replica::Replica;

/// Makes the stream, the exchange, and the queue for dead letters, as a deployment would.
async fn declare(port: u16) {
    declared(async || {
        let connection = connect(port).await?;
        let channel = connection.create_channel().await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("stream".into()));
        channel
            .queue_declare(STREAM.into(), QueueDeclareOptions::durable(), arguments)
            .await?;
        let durable = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        channel
            .exchange_declare(EXCHANGE.into(), ExchangeKind::Fanout, durable, FieldTable::default())
            .await?;
        declare_dead_letters(&channel).await
    })
    .await;
}

/// Publishes one message to the stream, over a connection of its own.
async fn publish(port: u16, message: &str) {
    let publisher = Publisher::new(port, "", STREAM);
    publisher.publish(&[message.into()], BasicProperties::default()).await;
}

async fn fails_with(replica: &Replica, words: &str) {
    let says = |error: &String| error.contains(words);
    let status = replica
        .until(&format!("down with {words}"), |status| {
            status.feed.last_error.as_ref().is_some_and(says)
        })
        .await;
    println!("rabbitmq: {}", status.feed.last_error.unwrap());
}

/// It was live for 4 s, and then no more: what was not asked for never came.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_nothing_but_what_is_older_than_the_list_stays_live() {
    in_time(async {
        let broker = AmqpStream::start().await;
        broker.publish(vec![b"+old@1000".to_vec()]).await;
        let soon = Timestamp::from_unix_secs(Timestamp::now().as_unix_secs() + 20);
        let source = broker.source(broker.port(), "one").await;
        let replica = Replica::start_since(source, "one", soon, Duration::ZERO);
        replica.live().await;
        let live = Instant::now();
        while live.elapsed() < Duration::from_secs(7) {
            assert_eq!(
                replica.sink.status().feed.state,
                FeedState::Live,
                "after {:.1?}",
                live.elapsed()
            );
            sleep(Duration::from_millis(50)).await;
        }
        assert!(!replica.refuses("old"), "it was not asked for");
        broker.publish(vec![b"+new@1000".to_vec()]).await;
        replica.refuses_after("new").await;
        replica.live().await;
    })
    .await;
}

const STREAM: &str = "stream";
const EXCHANGE: &str = "exchange";
