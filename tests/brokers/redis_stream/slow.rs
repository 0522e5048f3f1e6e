//! Links that are slow.

use std::time::{Duration, Instant};

use super::{source, start, with_something_old};
use crate::limit::in_time;
use crate::link::Link;
use crate::redis_node::RedisNode;

async fn add_large(node: &RedisNode, count: usize, size: usize) {
    for number in 0..count {
        let message = format!("+{number}-{size}{}@1000", "x".repeat(size));
        node.add("*", &message).await.unwrap();
    }
}

/// 512 entries used to be asked for at once, and to be thrown away if they took longer than 2.5 s; again and again.
#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_comes_in_over_10_mbit() {
    in_time(async {
        let node = with_something_old(&[]).await;
        add_large(&node, 400, 20_000).await;
        let link = Link::slow(node.port, 1_250_000).await;
        let started = Instant::now();
        let replica = start(source(link.port));
        replica.entries(1).await;
        let first = started.elapsed();
        replica.entries(400).await;
        println!(
            "redis: 8 MB over 10 Mbit/s: the first after {first:.1?}, all after {:.1?}",
            started.elapsed()
        );
        let status = replica.live().await;
        assert_eq!((status.opened, status.gaps), (1, 0), "{:?}", status.last_error);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_with_an_entry_that_takes_seconds_comes_in_over_1_mbit() {
    in_time(async {
        let mut node = with_something_old(&[]).await;
        add_large(&node, 40, 20_000).await;
        // 5 s by itself: longer than any silence that the loop allows.
        add_large(&node, 1, 625_000).await;
        add_large(&node, 1, 100).await;
        let link = Link::slow(node.port, 125_000).await;
        let started = Instant::now();
        let replica = start(source(link.port));
        replica.entries(1).await;
        let first = started.elapsed();
        replica.entries(42).await;
        println!(
            "redis: 1.4 MB over 1 Mbit/s: the first after {first:.1?}, all after {:.1?}",
            started.elapsed()
        );
        let status = replica.live().await;
        assert_eq!((status.opened, status.gaps), (1, 0), "{:?}", status.last_error);
        node.freeze();
        let frozen = Instant::now();
        replica.down().await;
        println!("redis: frozen behind 1 Mbit/s, noticed after {:.1?}", frozen.elapsed());
        assert!(frozen.elapsed() < Duration::from_secs(5));
        node.thaw();
    })
    .await;
}

/// While an answer is on its way, the broker has to show that it is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_freezes_in_the_midst_of_an_answer_is_noticed() {
    in_time(async {
        let node = with_something_old(&[]).await;
        add_large(&node, 1, 2_000_000).await;
        add_large(&node, 1, 100).await;
        let link = Link::slow(node.port, 125_000).await;
        let replica = start(source(link.port));
        replica
            .until("on its way", |status| {
                status.feed.opened == 1 && status.feed.last_signal_ms_ago.is_some()
            })
            .await;
        link.cut();
        let cut = Instant::now();
        replica.down().await;
        println!(
            "redis: cut in the midst of an answer, noticed after {:.1?}",
            cut.elapsed()
        );
        assert!(cut.elapsed() < Duration::from_secs(5));
    })
    .await;
}
