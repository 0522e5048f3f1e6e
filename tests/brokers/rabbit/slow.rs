//! Links that are slow.

use std::time::Instant;

use tower_revocation::Timestamp;
use tower_revocation::source::{EventSource, Signal, Start};

use crate::adapters::{AmqpQueue, AmqpStream};
use crate::broker::Broker;
use crate::limit::in_time;
use crate::link::Link;
use crate::replica::Replica;

fn large(count: usize, size: usize) -> Vec<Vec<u8>> {
    let message = |number| format!("+{number}{}@1000", "x".repeat(size)).into_bytes();
    (0..count).map(message).collect()
}

/// Published while it is away, and read over a slow link in one opening.
async fn a_backlog_comes_in<B: Broker>(pace: u32, count: usize) {
    let broker = B::start().await;
    let link = Link::slow(broker.port(), pace).await;
    let replica = Replica::start(broker.source(link.port, "one").await, "one");
    replica.live().await;
    let before = replica.sink.status().feed;
    let started = Instant::now();
    broker.publish(large(count, 20_000)).await;
    replica.entries(1).await;
    let first = started.elapsed();
    replica.entries(count).await;
    let all = started.elapsed();
    let status = replica.live().await;
    println!(
        "{}: {} MB over {} Mbit/s: the first after {first:.1?}, all after {all:.1?}, live after {:.1?}",
        B::NAME,
        count as f64 * 0.02,
        f64::from(pace) * 8e-6,
        started.elapsed()
    );
    assert_eq!(
        (status.opened, status.gaps),
        (before.opened, before.gaps),
        "{:?}",
        status.last_error
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_of_a_stream_comes_in_over_10_mbit() {
    in_time(a_backlog_comes_in::<AmqpStream>(1_250_000, 400)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_of_a_stream_comes_in_over_1_mbit() {
    in_time(a_backlog_comes_in::<AmqpStream>(125_000, 70)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_of_a_queue_comes_in_over_10_mbit() {
    in_time(a_backlog_comes_in::<AmqpQueue>(1_250_000, 400)).await;
}

/// What is on its way counts: it is more than the link carries in a second, and the broker does not count it any more.
async fn is_not_live_before_all_came<B: Broker>(pace: u32, count: usize) {
    let broker = B::start().await;
    broker.publish(vec![b"+older@1".to_vec()]).await;
    let link = Link::slow(broker.port(), pace).await;
    let mut source = broker.source(link.port, "one").await;
    source.open(&Start::since(Timestamp::now())).await.unwrap();
    while !matches!(source.next().await.unwrap(), Signal::CaughtUp) {}
    let publishing = broker.publish(large(count, 20_000));
    let mut came = 0;
    let mut kept = Vec::new();
    let reading = async {
        while came < count {
            match source.next().await.unwrap() {
                Signal::Message(message) => {
                    came += 1;
                    kept.push(message);
                }
                Signal::CaughtUp => assert!(came < 2, "said to be all after {came} of {count}"),
                _ => {}
            }
        }
        while !matches!(source.next().await.unwrap(), Signal::CaughtUp) {}
    };
    tokio::join!(publishing, reading);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_has_not_caught_up_while_messages_are_on_their_way() {
    in_time(is_not_live_before_all_came::<AmqpQueue>(1_250_000, 400)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_has_not_caught_up_while_messages_are_on_their_way() {
    in_time(is_not_live_before_all_came::<AmqpStream>(1_250_000, 400)).await;
}

/// A gateway that comes back finds more than the link carries in a second.
async fn a_backlog_is_there_at_the_opening<B: Broker>(pace: u32, count: usize) {
    let broker = B::start().await;
    // A queue is made by whoever reads it.
    let mut first = broker.source(broker.port(), "one").await;
    first.open(&Start::since(Timestamp::now())).await.unwrap();
    first.close().await;
    broker.publish(large(count, 20_000)).await;
    let link = Link::slow(broker.port(), pace).await;
    let started = Instant::now();
    let replica = Replica::start(broker.source(link.port, "one").await, "one");
    replica.live().await;
    let live = started.elapsed();
    assert!(replica.sink.status().overlay.entries >= count, "live before all came");
    println!(
        "{}: a backlog of {count} at the opening: live after {live:.1?}",
        B::NAME
    );
    assert_eq!(replica.live().await.opened, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_of_a_queue_is_there_at_the_opening() {
    in_time(a_backlog_is_there_at_the_opening::<AmqpQueue>(1_250_000, 400)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_of_a_stream_is_there_at_the_opening() {
    in_time(a_backlog_is_there_at_the_opening::<AmqpStream>(1_250_000, 400)).await;
}
