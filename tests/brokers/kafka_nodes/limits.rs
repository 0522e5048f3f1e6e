//! Brokers and networks that give little at a time.

use std::time::{Duration, Instant};

use tower_revocation::source::kafka::KafkaSource;

use super::Node;
use crate::limit::in_time;
use crate::link::Link;
use crate::replica::Replica;
use crate::server::free_port;

/// A broker answers nothing while a quota is used up, for many seconds. It used to be taken for dead, again and again.
#[tokio::test(flavor = "multi_thread")]
async fn a_quota_is_waited_out() {
    in_time(async {
        let node = Node::shared().await;
        node.create("quota", "");
        let pad = "x".repeat(1000);
        for i in 0..300 {
            node.tool.ask(&format!("send quota +{i}-{pad}@1000"));
        }
        node.tool.ask("quota slow-reader consumer_byte_rate=20000");
        let started = Instant::now();
        let config = node.config().with_client_id("slow-reader");
        let replica = Replica::start(KafkaSource::new(config, "quota"), "one");
        replica.entries(300).await;
        let took = started.elapsed();
        println!("kafka: 300 KB at 20 KB/s in {took:.1?}");
        assert!(took > Duration::from_secs(5), "no quota held it up: {took:?}");
        let status = replica.live().await;
        assert_eq!(status.opened, 1, "{:?}", status.last_error);
    })
    .await;
}

/// A megabyte that took more than 2.5 s never came.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_link_is_no_dead_one() {
    in_time(async {
        let port = free_port();
        let slow = Link::slow(port, 250_000).await;
        let advertised = format!("advertised.listeners=PLAINTEXT://127.0.0.1:{}", slow.port);
        let node = Node::start_on(port, &[&advertised]).await;
        node.create("slow", "");
        let pad = "x".repeat(900_000);
        for i in 0..3 {
            node.tool.ask(&format!("send slow +{i}-{pad}@1000"));
        }
        let started = Instant::now();
        let replica = node.replica("slow");
        replica.entries(3).await;
        let took = started.elapsed();
        println!("kafka: 2.7 MB at 2 Mbit/s in {took:.1?}");
        assert!(took > Duration::from_secs(8), "the link is not slow: {took:?}");
        let status = replica.live().await;
        assert_eq!(status.opened, 1, "{:?}", status.last_error);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_says_nothing_is_noticed_and_the_reason_is_named() {
    in_time(async {
        let mut node = Node::start(&[]).await;
        node.create("frozen", "");
        let replica = node.replica("frozen");
        replica.live().await;
        node.send("frozen", &["+before@1000"]);
        replica.refuses_after("before").await;
        node.server.freeze();
        let frozen = Instant::now();
        let status = replica.down().await;
        println!("kafka: frozen, it was noticed after {:.1?}", frozen.elapsed());
        let error = status.last_error.unwrap();
        assert!(error.contains("no answer within 2.5s"), "{error}");
        node.server.thaw();
        assert_eq!(replica.live().await.gaps, status.gaps);
    })
    .await;
}
