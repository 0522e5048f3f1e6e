//! Redis Cluster.

use tower_revocation::issuer::{Publisher, RedisPublisher};
use tower_revocation::source::EventSource;
use tower_revocation::source::redis::RedisSource;

use super::{LosingServers, Servers};
use crate::issuer::takeover::{a_leader_that_is_killed_is_no_gap, what_a_takeover_loses_is_lost_to_nobody};
use crate::limit::in_time;
use crate::redis_node::{RedisNode, STREAM, cluster, is_master};

/// Three masters, the first of which has the stream, and a replica of that one.
struct RedisCluster(Vec<RedisNode>);

impl RedisCluster {
    fn others(&self) -> impl Iterator<Item = (&'static str, u16)> {
        self.0[1..].iter().map(|node| ("127.0.0.1", node.port))
    }

    async fn taken_over(&self) {
        is_master(&self.0[3]).await;
        let is_ok = |answer: &str| answer.contains("cluster_state:ok");
        self.0[3].until("CLUSTER INFO", is_ok).await;
    }
}

impl Servers for RedisCluster {
    const NAME: &str = "redis cluster";

    async fn start() -> Self {
        Self(cluster().await)
    }

    async fn publisher(&self) -> impl Publisher {
        RedisPublisher::new(self.0[0].client(), STREAM).with_nodes(self.others())
    }

    async fn source(&self) -> impl EventSource + 'static {
        // A replica that took over has none until the old master is back. That an old master is none shows by the issuer's silence.
        RedisSource::new(self.0[0].client(), STREAM)
            .with_nodes(self.others())
            .with_replicas(0)
    }

    async fn kill_leader(&mut self) {
        self.0[0].kill();
        self.taken_over().await;
    }

    async fn restart_killed(&mut self) {
        self.0[0].restart().await;
    }
}

impl LosingServers for RedisCluster {
    async fn begin_to_lose(&mut self) {
        self.0[3].freeze();
        self.0[0].run::<()>("CLIENT KILL TYPE replica").await.unwrap();
    }

    async fn lose(&mut self) {
        self.0[0].kill();
        self.0[3].thaw();
        self.taken_over().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_is_killed_is_no_gap() {
    in_time(a_leader_that_is_killed_is_no_gap::<RedisCluster>()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_replica_lacked_that_takes_over_is_lost_to_nobody() {
    in_time(what_a_takeover_loses_is_lost_to_nobody::<RedisCluster>()).await;
}
