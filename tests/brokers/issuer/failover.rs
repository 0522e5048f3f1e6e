//! Servers that take over from others.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use tower_revocation::issuer::{Issuer, IssuerConcernCode, NatsPublisher, RedisPublisher};
use tower_revocation::source::nats::NatsSource;
use tower_revocation::source::redis::RedisSource;

use crate::issuer::read_all;
use crate::issuer::suite::{SOURCE, all_published, block, until};
use crate::limit::in_time;
use crate::nats_cluster::NatsCluster;
use crate::published::Published;
use crate::redis_node::{Replicated, STREAM};

fn open(home: &TempDir) -> Issuer {
    let issuer = Issuer::open(home.path().join("issuer"), SOURCE).unwrap();
    issuer.with_heartbeat(Duration::from_millis(200))
}

/// Nothing was lost, so that no new log is begun.
#[tokio::test(flavor = "multi_thread")]
async fn nats_a_leader_dies_under_load() {
    in_time(async {
        let (mut cluster, home) = (NatsCluster::start().await, TempDir::new().unwrap());
        let options = || {
            async_nats::ConnectOptions::new()
                .retry_on_initial_connect()
                .ping_interval(Duration::from_secs(1))
                .reconnect_delay_callback(|_attempts| Duration::from_millis(100))
        };
        let client = options().connect(cluster.urls(&[0, 1, 2])).await.unwrap();
        // It makes the stream by itself.
        let publisher = NatsPublisher::new(client.clone(), "REVOCATIONS", "revocations.auth");
        let issuer = Arc::new(open(&home).publishing_to(publisher));
        let first = block(&issuer, "first").await;
        let status = all_published(&issuer).await;
        let promise = status.promise.unwrap();
        assert_eq!((promise.copies, promise.warnings), (Some(3), vec![]));

        let context = jetstream::new(client);
        let mut stream = context.get_stream("REVOCATIONS").await.unwrap();
        let leader = stream.info().await.unwrap().cluster.clone().unwrap().leader.unwrap();
        let leader: usize = leader.strip_prefix('n').unwrap().parse().unwrap();
        let stating = {
            let issuer = Arc::clone(&issuer);
            tokio::spawn(async move {
                let mut ids = vec![first];
                for i in 0..200 {
                    ids.push(block(&issuer, format!("s-{i}")).await);
                    sleep(Duration::from_millis(10)).await;
                }
                ids
            })
        };
        sleep(Duration::from_millis(500)).await;
        cluster.nodes[leader].kill();
        let killed = Instant::now();
        let ids = stating.await.unwrap();
        let status = all_published(&issuer).await;
        println!("nats: all published {:?} after the leader was killed", killed.elapsed());
        cluster.nodes[leader].restart().await;
        let others: Vec<_> = (0..3).filter(|server| *server != leader).collect();
        let client = options().connect(cluster.urls(&others)).await.unwrap();
        let published = Published::read(SOURCE, read_all(NatsSource::new(client, "REVOCATIONS")).await);
        assert_eq!(published.logs.len(), 1, "{status:?}");
        assert_eq!(published.last().ids(), ids);
    })
    .await;
}

/// The replica lagged, and what the master had confirmed is lost: the store has it.
#[tokio::test(flavor = "multi_thread")]
async fn redis_a_replica_that_lagged_takes_over() {
    in_time(async {
        let (mut set, home) = (Replicated::start().await, TempDir::new().unwrap());
        let nowhere = redis::Client::open("redis://127.0.0.1:1/").unwrap();
        let publisher = RedisPublisher::new(nowhere, STREAM).with_sentinels("m", set.sentinel_clients());
        let issuer = open(&home).publishing_to(publisher);
        let mut ids = Vec::new();
        for i in 0..5 {
            ids.push(block(&issuer, format!("s-{i}")).await);
        }
        let status = all_published(&issuer).await;
        assert_eq!(status.promise.unwrap().copies, Some(2));
        // From here on, the replica gets nothing.
        set.replica.freeze();
        set.master.run::<()>("CLIENT KILL TYPE replica").await.unwrap();
        for i in 5..8 {
            ids.push(block(&issuer, format!("s-{i}")).await);
        }
        let status = all_published(&issuer).await;
        let codes: Vec<_> = status.concerns.iter().map(|concern| concern.code).collect();
        assert!(
            codes.contains(&IssuerConcernCode::Promise),
            "WAIT fell short: {status:?}"
        );
        set.master.kill();
        set.replica.thaw();
        set.promoted().await;
        let promoted = Instant::now();
        let status = until(&issuer, |status| {
            status.logs_begun == 1 && status.pending == 0 && status.connected
        })
        .await;
        println!(
            "redis: all published again {:?} after the promotion",
            promoted.elapsed()
        );
        let published = Published::read(SOURCE, read_all(RedisSource::new(set.replica.client(), STREAM)).await);
        assert_eq!(published.logs.len(), 2, "{status:?}");
        let [old, new] = &published.logs[..] else {
            panic!("{published:?}")
        };
        assert_eq!(new.after, Some(old.end()), "behind what the replica had");
        assert_eq!([old.ids(), new.ids()].concat(), ids);
        assert!(new.ids().len() >= 3);
    })
    .await;
}
