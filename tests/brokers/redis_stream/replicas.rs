//! Who knows where the log ends.

use std::time::{Duration, Instant};

use tower_revocation::FeedState;

use super::{add, add_something_old, not_live, source, start};
use crate::limit::in_time;
use crate::redis_node::{STREAM, linked, pair};

/// By default, it goes on answering (`replica-serve-stale-data`), and used to be live.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_live_only_while_it_hears_of_its_master() {
    in_time(async {
        let [mut master, replica] = pair().await;
        add_something_old(&master).await;
        replica
            .until(&format!("XLEN {STREAM}"), |answer| answer.contains('1'))
            .await;
        let reading = start(source(replica.port).with_replica_age(Duration::from_secs(3)));
        reading.live().await;
        add(&master, [1]).await;
        reading.refuses_after("1").await;
        // For a minute, nobody closes the connection.
        let frozen = Instant::now();
        master.freeze();
        not_live(&reading).await;
        println!(
            "redis: a replica of a frozen master is not live after {:.1?}",
            frozen.elapsed()
        );
        master.thaw();
        reading.live().await;
        let killed = Instant::now();
        master.kill();
        not_live(&reading).await;
        println!(
            "redis: a replica of a killed master is not live after {:.1?}",
            killed.elapsed()
        );
        let opened = reading.sink.status().feed.opened;
        assert_eq!(opened, 1, "it answers all the while");
        master.restart().await;
        linked(&replica).await;
        add(&master, [2]).await;
        reading.refuses_after("2").await;
        let status = reading.live().await;
        assert_eq!(status.gaps, 0, "{:?}", status.last_gap);
    })
    .await;
}

/// It confirms and answers, and knows nothing of what the others may have.
#[tokio::test(flavor = "multi_thread")]
async fn a_master_without_the_replicas_that_it_had_is_not_live() {
    in_time(async {
        let [master, mut replica] = pair().await;
        add_something_old(&master).await;
        let reading = start(source(master.port));
        let alone = start(source(master.port).with_replicas(0));
        let demanding = start(source(master.port).with_replicas(2));
        reading.live().await;
        alone.live().await;
        let frozen = Instant::now();
        replica.freeze();
        not_live(&reading).await;
        println!(
            "redis: a master without its replica is not live after {:.1?}",
            frozen.elapsed()
        );
        add(&master, [1]).await;
        for reading in [&reading, &alone, &demanding] {
            reading.refuses_after("1").await;
        }
        assert_eq!(alone.sink.status().feed.state, FeedState::Live);
        assert_eq!(demanding.sink.status().feed.state, FeedState::CatchingUp);
        replica.thaw();
        assert_eq!(reading.live().await.gaps, 0);
    })
    .await;
}
