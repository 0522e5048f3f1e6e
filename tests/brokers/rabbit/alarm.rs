//! A broker that is short of memory stops whoever publishes.

use std::time::{Duration, Instant};

use lapin::BasicProperties;
use tokio::time::sleep;
use tower_revocation::FeedState;
use tower_revocation::source::amqp::{AmqpQueue, AmqpStream};

use super::{EXCHANGE, STREAM, declare};
use crate::adapters::{DEAD_LETTERS, Publisher, connector, dead_letters};
use crate::limit::in_time;
use crate::link::Link;
use crate::rabbit_nodes::RabbitNodes;
use crate::replica::Replica;

/// Dead letters go by a connection of their own: what is read behind them has to be in force all the same, and they are to be stored
/// once the alarm is over.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_in_force_and_dead_letters_come_later() {
    in_time(async {
        let server = RabbitNodes::start(1).await;
        let port = server.port(0);
        declare(port).await;
        let link = Link::to(port).await;
        let stream = AmqpStream::new(connector(link.port), STREAM).with_dead_letters("", DEAD_LETTERS);
        let queue = AmqpQueue::new(connector(link.port), EXCHANGE, "one").with_dead_letters("", DEAD_LETTERS);
        let replicas = [Replica::start(stream, "one"), Replica::start(queue, "one")];
        for replica in &replicas {
            replica.live().await;
        }
        link.sever();
        for replica in &replicas {
            replica.down().await;
        }
        let messages = ["poison 1", "poison 2", "+meanwhile@1000"].map(|message| message.as_bytes().to_vec());
        for (exchange, key) in [("", STREAM), (EXCHANGE, "")] {
            let publisher = Publisher::new(port, exchange, key);
            publisher
                .publish(&messages, BasicProperties::default().with_delivery_mode(2))
                .await;
        }
        server.control(0, &["set_vm_memory_high_watermark", "absolute", "1MB"]);
        link.mend();
        let mut opened = Vec::new();
        for replica in &replicas {
            replica.refuses_after("meanwhile").await;
            opened.push(replica.live().await.opened);
            // In force comes before it is acknowledged.
            replica
                .until("acknowledged", |status| status.feed.unacknowledged == 2)
                .await;
        }
        // Longer than storing a dead letter may take.
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(13) {
            for replica in &replicas {
                let feed = replica.sink.status().feed;
                assert_eq!(feed.state, FeedState::Live, "{feed:?}");
                assert_eq!(feed.unacknowledged, 2);
            }
            sleep(Duration::from_millis(50)).await;
        }
        assert!(dead_letters(port).await.is_empty());
        server.control(0, &["set_vm_memory_high_watermark", "absolute", "1GB"]);
        let over = Instant::now();
        for (replica, opened) in replicas.iter().zip(opened) {
            replica.until("settled", |status| status.feed.unacknowledged == 0).await;
            assert_eq!(replica.live().await.opened, opened);
        }
        println!(
            "rabbitmq, alarm: dead letters are stored {:.1?} after it",
            over.elapsed()
        );
        let mut letters: Vec<_> = dead_letters(port)
            .await
            .into_iter()
            .map(|(payload, _)| payload)
            .collect();
        letters.sort();
        letters.dedup();
        assert_eq!(letters, messages[..2]);
    })
    .await;
}
