//! Three nodes: leaders that move, die, and are cut off.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::time::sleep;
use tower_revocation::FeedState;

use super::PATIENCE;
use super::three::Three;
use crate::limit::in_time;
use crate::replica::Replica;

/// Publishes an event, and returns how long it was confirmed until it was in force.
async fn reaches(three: &Three, replica: &Replica, topic: &str, subject: &str, how: &str) -> Duration {
    three.tool.ask(&format!("send {topic} +{subject}@1000 {how}"));
    let confirmed = Instant::now();
    replica.refuses_after(subject).await;
    confirmed.elapsed()
}

async fn live(three: &Three, topic: &str) -> Replica {
    three.create(topic);
    let replica = Replica::start(three.source(topic), "one");
    replica.live().await;
    reaches(three, &replica, topic, "first", "").await;
    replica
}

#[tokio::test(flavor = "multi_thread")]
async fn leaders_that_move_freeze_and_die_lose_nothing() {
    in_time(async {
        let mut three = Three::start().await;
        let replica = live(&three, "moving").await;
        let opened = replica.sink.status().feed.opened;
        let gaps = replica.sink.status().feed.gaps;
        for (round, replicas) in ["2,1,3", "3,2,1", "1,2,3"].into_iter().enumerate() {
            three.tool.ask(&format!("lead moving {replicas}"));
            let took = reaches(&three, &replica, "moving", &format!("moved-{round}"), "").await;
            println!("kafka: the leader moved in good order: in force {took:?} after the next confirmation");
            assert!(took < Duration::from_secs(3), "{took:?}");
        }
        let status = replica.live().await;
        assert_eq!(status.opened, opened, "no false alarm: {:?}", status.last_error);

        // What is confirmed by the leader alone is not given out before all followers that count have it.
        three.nodes[2].freeze();
        let took = reaches(&three, &replica, "moving", "follower-frozen", "acks=1").await;
        println!("kafka: a follower is frozen: in force {took:?} after the leader's confirmation");
        three.nodes[2].thaw();
        assert_eq!(replica.live().await.opened, opened);
        in_sync(&three, "moving").await;

        three.nodes[0].kill().await;
        let killed = Instant::now();
        let took = reaches(&three, &replica, "moving", "leader-killed", "").await;
        println!(
            "kafka: the leader was killed: confirmed {:?} after, in force {took:?} after that",
            killed.elapsed() - took
        );
        assert!(took < Duration::from_secs(6), "{took:?}");
        replica.live().await;

        for node in &mut three.nodes[1..] {
            node.kill().await;
        }
        replica.down().await;
        let restarted = Instant::now();
        join_all(three.nodes.iter_mut().map(|node| node.restart())).await;
        let took = reaches(&three, &replica, "moving", "all-killed", "").await;
        println!(
            "kafka: all were killed: confirmed {:?} after their start, in force {took:?} after that",
            restarted.elapsed() - took
        );
        let status = replica.live().await;
        assert_eq!(status.gaps, gaps, "{:?}", status.last_gap);
        for subject in [
            "first",
            "moved-0",
            "moved-1",
            "moved-2",
            "follower-frozen",
            "leader-killed",
            "all-killed",
        ] {
            assert!(replica.refuses(subject), "{subject}");
        }
    })
    .await;
}

/// It answers for as long as anybody listens, without an error, and names itself as the leader; and the records that the next
/// leader confirmed came when it was healed.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_cut_off_from_the_others_is_left() {
    in_time(async {
        let three = Three::start().await;
        let replica = live(&three, "cut").await;
        let status = replica.live().await;
        three.isolate(0);
        let isolated = Instant::now();
        let took = reaches(&three, &replica, "cut", "elsewhere", "").await;
        println!(
            "kafka: the leader was cut off from the others: confirmed elsewhere {:?} after, in force {took:?} after that",
            isolated.elapsed() - took
        );
        assert!(took < Duration::from_secs(4), "{took:?}");
        let after = replica.live().await;
        assert_eq!((after.opened, after.gaps), (status.opened, status.gaps), "{:?}", after.last_error);
        three.heal(0);
        in_sync(&three, "cut").await;

        // With nobody to ask but a leader that is cut off, a gateway that hears it is not live.
        let led_again = Instant::now();
        while !three.tool.ask("leader cut").starts_with("1 ") {
            assert!(led_again.elapsed() < PATIENCE, "{}", three.tool.ask("leader cut"));
            three.tool.ask("lead cut 1,2,3");
        }
        reaches(&three, &replica, "cut", "healed", "").await;
        replica.live().await;
        for link in &three.clients[1..] {
            link.cut();
        }
        three.isolate(0);
        let isolated = Instant::now();
        replica.until("not live", |status| status.feed.state != FeedState::Live).await;
        println!("kafka: cut off together with its leader, a gateway is not live {:?} after", isolated.elapsed());
        assert!(isolated.elapsed() < Duration::from_secs(8));
        sleep(Duration::from_secs(5)).await;
        assert_ne!(replica.sink.status().feed.state, FeedState::Live);
        for link in &three.clients {
            link.mend();
        }
        three.heal(0);
        let took = reaches(&three, &replica, "cut", "all-healed", "").await;
        println!("kafka: and healed: in force {took:?} after the next confirmation");
        let status = replica.live().await;
        assert_eq!(status.gaps, after.gaps, "{:?}", status.last_gap);
    })
    .await;
}

/// Waits until all three have all of it again.
async fn in_sync(three: &Three, topic: &str) {
    let deadline = Instant::now() + PATIENCE;
    while three.tool.ask(&format!("leader {topic}")).split(' ').count() < 4 {
        assert!(
            Instant::now() < deadline,
            "{}",
            three.tool.ask(&format!("leader {topic}"))
        );
        sleep(Duration::from_millis(100)).await;
    }
}
