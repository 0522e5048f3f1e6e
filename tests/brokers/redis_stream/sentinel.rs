//! A master, a replica and Sentinels.

use std::time::Instant;

use tokio::task::yield_now;
use tower_revocation::FeedState;
use tower_revocation::source::redis::RedisSource;

use super::{add, add_something_old, gap, source, start};
use crate::limit::in_time;
use crate::redis_node::{RedisNode, Replicated, STREAM};

/// By whatever the Sentinels say; the client's own address leads nowhere.
fn by_sentinels(set: &Replicated) -> RedisSource {
    let nowhere = redis::Client::open("redis://127.0.0.1:1/").unwrap();
    RedisSource::new(nowhere, STREAM).with_sentinels("m", set.sentinel_clients())
}

/// From here on, the replica gets nothing. Freezing alone would lose nothing: what is in the socket is read later.
async fn cut_off(replica: &mut RedisNode, master: &RedisNode) {
    replica.freeze();
    master.run::<()>("CLIENT KILL TYPE replica").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_promoted_one_is_followed_and_an_old_master_that_comes_back_is_not_live() {
    in_time(async {
        let mut set = Replicated::start().await;
        add_something_old(&set.master).await;
        let following = start(by_sentinels(&set));
        let staying = start(source(set.master.port));
        for reading in [&following, &staying] {
            assert_eq!(reading.live().await.gaps, 0);
        }
        add(&set.master, [1]).await;
        following.refuses_after("1").await;
        set.replica.until(&format!("XLEN {STREAM}"), |answer| answer.contains('2')).await;
        let killed = Instant::now();
        set.master.kill();
        set.promoted().await;
        let promoted = killed.elapsed();
        add(&set.replica, [2]).await;
        following.refuses_after("2").await;
        let in_force = killed.elapsed();
        assert_eq!(following.live().await.gaps, 0, "nothing was lost");
        println!(
            "redis sentinel: master killed, another one after {promoted:.1?}, in force after {in_force:.1?}, live after {:.1?}",
            killed.elapsed()
        );
        // It takes itself for the master at first. Whoever stays with its address must not be live before it has what is new.
        set.master.restart().await;
        let came_back = Instant::now();
        loop {
            // Before it is looked: both may come in between.
            let state = staying.sink.status().feed.state;
            if staying.refuses("2") {
                break;
            }
            assert_ne!(state, FeedState::Live);
            assert!(came_back.elapsed().as_secs() < 60);
            yield_now().await;
        }
        println!("redis sentinel: the old master has what is new after {:.1?}", came_back.elapsed());
        staying.live().await;
        assert_eq!(following.live().await.gaps, 0);
    })
    .await;
}

/// What the old master confirmed and the new one never had: whoever read it has more than the log.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_and_lost_in_a_failover_is_a_gap() {
    in_time(async {
        let mut set = Replicated::start().await;
        add_something_old(&set.master).await;
        let reading = start(by_sentinels(&set));
        assert_eq!(reading.live().await.gaps, 0);
        cut_off(&mut set.replica, &set.master).await;
        add(&set.master, [1]).await;
        reading.refuses_after("1").await;
        set.master.kill();
        set.replica.thaw();
        set.promoted().await;
        add(&set.replica, [2]).await;
        gap(&reading, 0, "the stream").await;
        reading.refuses_after("2").await;
        reading.live().await;
        assert!(reading.refuses("1"), "whoever has read it keeps it");
    })
    .await;
}

/// The issuer's own numbers are given out again.
#[tokio::test(flavor = "multi_thread")]
async fn another_entry_under_the_same_number_after_a_failover_is_read() {
    in_time(async {
        let mut set = Replicated::start().await;
        for id in ["1-0", "2-0"] {
            set.master.add(id, &format!("+{id}@1000")).await.unwrap();
        }
        let reading = start(by_sentinels(&set));
        let gaps = reading.live().await.gaps;
        set.replica
            .until(&format!("XLEN {STREAM}"), |answer| answer.contains('2'))
            .await;
        cut_off(&mut set.replica, &set.master).await;
        set.master.add("3-0", "+lost@1000").await.unwrap();
        reading.refuses_after("lost").await;
        let killed = Instant::now();
        set.master.kill();
        set.replica.thaw();
        set.promoted().await;
        set.replica.add("3-0", "+revoked@1000").await.unwrap();
        set.replica.add("4-0", "+next@1000").await.unwrap();
        reading.refuses_after("next").await;
        assert!(reading.refuses("revoked"));
        println!(
            "redis sentinel: same number again, in force {:.1?} after the kill",
            killed.elapsed()
        );
        gap(&reading, gaps, "").await;
        reading.live().await;
    })
    .await;
}
