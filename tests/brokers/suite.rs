//! What every broker's adapter has to show, with the same tests for all.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use tower_revocation::source::testing::Capability;
use tower_revocation::source::{DRAIN_TIMEOUT, EventSource, Start};
use tower_revocation::{FeedState, Timestamp};

use crate::broker::Broker;
use crate::link::Link;
use crate::replica::Replica;

fn block(subject: &str) -> Vec<u8> {
    format!("+{subject}@1000").into_bytes()
}

fn blocks(subjects: std::ops::Range<usize>) -> Vec<Vec<u8>> {
    subjects.map(|i| block(&i.to_string())).collect()
}

async fn replica<B: Broker>(broker: &B, name: &str) -> Replica {
    Replica::start(broker.source(broker.port(), name).await, name)
}

/// Fan-out, from the beginning and live.
pub(crate) async fn every_replica_sees_every_message<B: Broker>() {
    let broker = B::start().await;
    let replicas = [replica(&broker, "one").await, replica(&broker, "two").await];
    for replica in &replicas {
        replica.live().await;
    }
    broker.publish(blocks(0..500)).await;
    for replica in &replicas {
        replica.entries(500).await;
    }
    // One that comes later, and reads what is there; unless each replica has a queue of its own.
    let late = Replica::start(broker.source(broker.port(), "late").await, "late");
    late.live().await;
    broker.publish(vec![block("last")]).await;
    for replica in replicas.iter().chain([&late]) {
        replica.refuses_after("last").await;
        let status = replica
            .until("all settled", |status| status.feed.unacknowledged == 0)
            .await;
        assert_eq!(status.feed.state, FeedState::Live);
        assert_eq!(status.dispositions.dead_letter + status.dispositions.retry, 0);
    }
    let entries = late.sink.status().overlay.entries;
    let is_log = !B::LACKS.contains(&Capability::ReadAgain);
    assert_eq!(entries, if is_log { 501 } else { 1 });
    assert_eq!(late.sink.status().feed.gaps, 1, "nothing on it is as old as the list");
}

/// Killed by SIGKILL under a steady stream of events, and started again: what the broker confirmed, every replica refuses.
pub(crate) async fn no_confirmed_event_is_lost_when_the_broker_is_killed<B: Broker>() {
    let mut broker = B::start().await;
    let replicas = [replica(&broker, "one").await, replica(&broker, "two").await];
    for replica in &replicas {
        replica.live().await;
    }
    const EACH: usize = 300;
    for round in 0..2 {
        let start = round * 2 * EACH;
        // It is killed while these are on their way; the publisher tries again until each is confirmed.
        let steady = async {
            for i in start..start + EACH {
                broker_publish(&broker, i).await;
            }
        };
        let _ = timeout(Duration::from_millis(150), steady).await;
        broker.kill().await;
        for replica in &replicas {
            replica.down().await;
        }
        broker.restart().await;
        let came_back = Instant::now();
        for i in start..start + 2 * EACH {
            broker_publish(&broker, i).await;
        }
        for replica in &replicas {
            replica.entries(start + 2 * EACH).await;
            replica.live().await;
        }
        println!(
            "{}: all {} events in force {:?} after the restart",
            B::NAME,
            2 * EACH,
            came_back.elapsed()
        );
    }
    for replica in &replicas {
        assert!(
            (0..4 * EACH).all(|i| replica.refuses(&i.to_string())),
            "none is admitted"
        );
    }
}

async fn broker_publish<B: Broker>(broker: &B, i: usize) {
    broker.publish(vec![block(&i.to_string())]).await;
}

/// The network between one replica and the broker swallows everything for 10 s.
pub(crate) async fn a_replica_that_is_cut_off_catches_up_by_itself<B: Broker>() {
    let broker = B::start().await;
    let link = Link::to(broker.port()).await;
    let far = Replica::start(broker.source(link.port, "far").await, "far");
    let near = replica(&broker, "near").await;
    for replica in [&far, &near] {
        replica.live().await;
    }
    broker.publish(blocks(0..10)).await;
    far.entries(10).await;
    link.cut();
    broker.publish(blocks(10..100)).await;
    near.entries(100).await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!(far.sink.status().overlay.entries, 10, "nothing gets through");
    assert_eq!(far.sink.status().feed.state, FeedState::Down);
    link.mend();
    let mended_at = Instant::now();
    far.entries(100).await;
    let status = far.live().await;
    println!(
        "{}: cut off for 10 s, caught up {:?} after",
        B::NAME,
        mended_at.elapsed()
    );
    assert_eq!(status.gaps, near.sink.status().feed.gaps, "nothing was missed");
    assert_eq!(near.sink.status().feed.opened, 1);
}

/// A message that cannot be read, with others behind it.
pub(crate) async fn poison_is_put_aside_and_holds_up_nobody<B: Broker>(copies: usize) {
    let broker = B::start().await;
    let replicas = [replica(&broker, "one").await, replica(&broker, "two").await];
    for replica in &replicas {
        replica.live().await;
    }
    let mut messages = blocks(0..3);
    messages.insert(1, b"poison".to_vec());
    let published_at = Instant::now();
    broker.publish(messages).await;
    for replica in &replicas {
        replica.entries(3).await;
        let took = published_at.elapsed();
        assert!(took < Duration::from_secs(2), "{took:?}");
        let is_poison = |reason: &str| reason.contains("body makes no sense");
        let status = replica
            .until("rid of the poison", |status| {
                let gap = status.feed.last_gap.as_ref();
                gap.is_some_and(|gap| is_poison(&gap.reason)) && status.feed.unacknowledged == 0
            })
            .await;
        assert_eq!(status.dispositions.dead_letter, 1);
        assert!(is_poison(&status.last_dead_letter.unwrap().reason));
    }
    let stored = async {
        loop {
            let letters = broker.dead_letters().await;
            if letters.len() >= copies {
                return letters;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let letters = timeout(Duration::from_secs(10), stored).await.expect("they are stored");
    // Should there be one too many, it had time to come.
    sleep(Duration::from_millis(300)).await;
    assert_eq!(broker.dead_letters().await.len(), copies);
    for (payload, about) in letters {
        assert_eq!(payload, b"poison");
        assert!(about.contains("body makes no sense"), "{about}");
        assert!(about.contains("one") || about.contains("two"), "which replica: {about}");
    }
}

/// What was to be tried again comes after what was published later; and an older event comes once more.
pub(crate) async fn the_order_of_redeliveries_does_not_matter<B: Broker>() {
    let broker = B::start().await;
    let mut replica = replica(&broker, "one").await.with_capacity(1);
    replica.live().await;
    let messages = ["+first@10", "+late@10", "-first@20", "+first@10", "-first@15"];
    broker
        .publish(messages.iter().map(|message| message.as_bytes().to_vec()).collect())
        .await;
    replica
        .until("full", |status| {
            status.dispositions.retry >= 1 && status.dispositions.applied >= 4
        })
        .await;
    assert!(!replica.refuses("first"), "reinstated later than it was blocked");
    assert!(!replica.refuses("late"), "no room yet");
    replica.set_capacity(2);
    replica.refuses_after("late").await;
    let status = replica
        .until("all settled", |status| status.feed.unacknowledged == 0)
        .await;
    assert_eq!(status.dispositions.dead_letter, 0);
    assert!(!replica.refuses("first"));
}

/// A broker that does not answer is none to wait for.
///
/// RabbitMQ's client never said that it was closed if its connection came to an end meanwhile, and looked for no
/// heartbeat any more.
pub(crate) async fn closing_does_not_wait_for_a_broker_that_is_frozen<B: Broker>() {
    let mut broker = B::start().await;
    let mut source = broker.source(broker.port(), "one").await;
    let opened = async {
        // Just after its start, a broker may have nothing to read yet.
        while source.open(&Start::since(Timestamp::default())).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(30), opened)
        .await
        .expect("it can be opened");
    broker.freeze();
    let closed = timeout(DRAIN_TIMEOUT, source.close()).await;
    broker.thaw();
    closed.expect("it is closed as soon as the loop wants to be gone");
}

/// Many at once: how fast two replicas take them in, beside a loop that does nothing but read.
pub(crate) async fn a_burst_is_read_about_as_fast_as_the_client_can<B: Broker>() {
    let count = burst();
    let broker = B::start().await;
    let started = Instant::now();
    broker.publish(blocks(0..count)).await;
    let published = started.elapsed();
    let mut ratios = Vec::new();
    for _ in 0..3 {
        let bare = two(async || broker.read_bare(count).await).await;
        let ours = two(async || {
            let name = format!("reader-{}", fastrand::u32(..));
            read_all(broker.source(broker.port(), &name).await, count).await;
        })
        .await;
        ratios.push(bare.as_secs_f64() / ours.as_secs_f64());
        println!(
            "{}: {count} messages published in {published:.2?}; two bare loops {:.0}/s each, two replicas {:.0}/s each, ratio {:.2}",
            B::NAME,
            count as f64 / bare.as_secs_f64(),
            count as f64 / ours.as_secs_f64(),
            ratios[ratios.len() - 1],
        );
    }
    ratios.sort_by(f64::total_cmp);
    println!("{}: median ratio {:.2}", B::NAME, ratios[1]);
}

/// How fast two replicas take in a burst over TLS, beside two without it.
pub(crate) async fn tls_beside_plain(name: &str, count: usize, plain: impl AsyncFn(), tls: impl AsyncFn()) {
    let mut ratios = Vec::new();
    for _ in 0..3 {
        let (plain, tls) = (two(&plain).await, two(&tls).await);
        ratios.push(plain.as_secs_f64() / tls.as_secs_f64());
        println!(
            "{name}: {count} messages; plain {:.0}/s each of two, TLS {:.0}/s each, ratio {:.2}",
            count as f64 / plain.as_secs_f64(),
            count as f64 / tls.as_secs_f64(),
            ratios[ratios.len() - 1],
        );
    }
    ratios.sort_by(f64::total_cmp);
    println!("{name}: median ratio of TLS {:.2}", ratios[1]);
}

/// How many messages a burst has.
pub(crate) fn burst() -> usize {
    std::env::var("BURST").map_or(5_000, |count| count.parse().expect("BURST is a number"))
}

/// How long two of them take at a time.
async fn two(read: impl AsyncFn()) -> Duration {
    let started = Instant::now();
    tokio::join!(read(), read());
    started.elapsed()
}

pub(crate) async fn read_all(source: impl EventSource + 'static, count: usize) {
    let replica = Replica::start(source, "burst");
    replica.entries(count).await;
}
