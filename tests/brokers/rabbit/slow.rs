//! Links that are slow.

use std::time::Instant;

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
