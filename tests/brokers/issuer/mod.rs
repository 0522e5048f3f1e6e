//! An issuer over real brokers.

mod example;
mod failover;
mod fleet;
mod gateway;
mod suite;
mod takeover;
mod witness;

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{sleep, timeout};
use tower_revocation::Timestamp;
use tower_revocation::issuer::Publisher;
use tower_revocation::source::{Delivery, EventSource, Signal, Start};

use crate::broker::Broker;

/// A broker that an issuer publishes to.
pub(crate) trait PublishedTo: Broker {
    /// Settings of a lone server that lose what it confirmed.
    const WARNINGS: &[&str];

    async fn publisher(&self) -> impl Publisher;

    /// Keeps a copy of the data of a server that was killed.
    fn keep(&self);

    /// Starts it with the data that was kept.
    async fn put_back(&mut self);
}

/// All messages that a gateway would read.
pub(crate) async fn all_messages<B: Broker>(broker: &B) -> Vec<Bytes> {
    read_all(broker.source(broker.port(), "strict").await).await
}

/// All messages of a feed.
pub(crate) async fn read_all(mut source: impl EventSource) -> Vec<Bytes> {
    let reading = async {
        while let Err(error) = source.open(&Start::since(Timestamp::default())).await {
            println!("{error}");
            sleep(Duration::from_millis(200)).await;
        }
        let mut messages = Vec::new();
        loop {
            match source.next().await.unwrap() {
                Signal::Message(delivery) => messages.push(Bytes::copy_from_slice(delivery.payload())),
                Signal::CaughtUp => break,
                _ => {}
            }
        }
        source.close().await;
        messages
    };
    timeout(PATIENCE, reading).await.unwrap()
}

/// The suite over one broker.
macro_rules! issuer_over {
    ($name:ident, $broker:ty) => {
        mod $name {
            use crate::issuer::{gateway, suite};
            use crate::limit::in_time;

            #[tokio::test(flavor = "multi_thread")]
            async fn a_whole_log_comes_out() {
                in_time(suite::a_whole_log_comes_out::<$broker>()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn nothing_is_lost_when_the_broker_is_killed() {
                in_time(suite::nothing_is_lost_when_the_broker_is_killed::<$broker>()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn a_broker_that_lost_everything_gets_it_again() {
                in_time(suite::a_broker_that_lost_everything_gets_it_again::<$broker>()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn a_broker_that_was_set_back_gets_what_it_lost() {
                in_time(suite::a_broker_that_was_set_back_gets_what_it_lost::<$broker>()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn what_was_confirmed_and_lost_unread_is_known_all_the_same() {
                in_time(gateway::what_was_confirmed_and_lost_unread_is_known_all_the_same::<$broker>()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn what_is_killed_and_comes_back_is_no_gap() {
                in_time(gateway::what_is_killed_and_comes_back_is_no_gap::<$broker>()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn an_issuer_that_dies_is_missed_and_comes_back_without_a_gap() {
                in_time(gateway::an_issuer_that_dies_is_missed_and_comes_back_without_a_gap::<$broker>()).await;
            }
        }
    };
}

issuer_over!(nats, crate::adapters::Nats);
issuer_over!(redis, crate::adapters::RedisBroker);
issuer_over!(kafka, crate::adapters::KafkaBroker);
issuer_over!(amqp_stream, crate::adapters::AmqpStream);

const PATIENCE: Duration = Duration::from_secs(60);
