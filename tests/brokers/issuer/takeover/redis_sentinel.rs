//! Redis with Sentinels.

use tower_revocation::issuer::{Publisher, RedisPublisher};
use tower_revocation::source::EventSource;
use tower_revocation::source::redis::RedisSource;

use super::{LosingServers, Servers};
use crate::issuer::takeover::{a_leader_that_is_killed_is_no_gap, what_a_takeover_loses_is_lost_to_nobody};
use crate::limit::in_time;
use crate::redis_node::{Replicated, STREAM};

/// The client's own address leads nowhere.
fn nowhere() -> redis::Client {
    redis::Client::open("redis://127.0.0.1:1/").unwrap()
}

impl Servers for Replicated {
    const NAME: &str = "redis sentinel";

    async fn start() -> Self {
        Self::start().await
    }

    async fn publisher(&self) -> impl Publisher {
        RedisPublisher::new(nowhere(), STREAM).with_sentinels("m", self.sentinel_clients())
    }

    async fn source(&self) -> impl EventSource + 'static {
        RedisSource::new(nowhere(), STREAM).with_sentinels("m", self.sentinel_clients())
    }

    async fn kill_leader(&mut self) {
        self.master.kill();
        self.promoted().await;
    }

    async fn restart_killed(&mut self) {
        self.master.restart().await;
    }
}

impl LosingServers for Replicated {
    /// The replica gets nothing. Freezing alone would lose nothing: what is in the socket is read later.
    async fn begin_to_lose(&mut self) {
        self.replica.freeze();
        self.master.run::<()>("CLIENT KILL TYPE replica").await.unwrap();
    }

    async fn lose(&mut self) {
        self.master.kill();
        self.replica.thaw();
        self.promoted().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_is_killed_is_no_gap() {
    in_time(a_leader_that_is_killed_is_no_gap::<Replicated>()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_replica_lacked_that_is_promoted_is_lost_to_nobody() {
    in_time(what_a_takeover_loses_is_lost_to_nobody::<Replicated>()).await;
}
