//! Three servers of NATS.

use std::time::{Duration, Instant};

use async_nats::jetstream::{self, ContextBuilder};
use tokio::time::sleep;
use tower_revocation::issuer::{NatsPublisher, Publisher};
use tower_revocation::source::EventSource;
use tower_revocation::source::nats::NatsSource;

use super::{LosingServers, Servers};
use crate::issuer::takeover::{a_leader_that_is_killed_is_no_gap, what_a_takeover_loses_is_lost_to_nobody};
use crate::limit::in_time;
use crate::nats_cluster::NatsCluster;

struct NatsServers {
    cluster: NatsCluster,
    killed: Vec<usize>,
}

impl NatsServers {
    async fn client(&self) -> async_nats::Client {
        async_nats::ConnectOptions::new()
            .retry_on_initial_connect()
            .ignore_discovered_servers()
            .connection_timeout(Duration::from_secs(2))
            .ping_interval(Duration::from_secs(1))
            .reconnect_delay_callback(|_attempts| Duration::from_millis(100))
            .connect(self.cluster.urls(&[0, 1, 2]))
            .await
            .unwrap()
    }

    async fn context(&self) -> jetstream::Context {
        let context = ContextBuilder::new().timeout(Duration::from_secs(1));
        context.build(self.client().await)
    }

    /// Waits until the stream has a leader and so many others that are up to date, and returns the leader.
    async fn led(&self, others: usize) -> usize {
        let (context, deadline) = (self.context().await, Instant::now() + Duration::from_secs(90));
        loop {
            if let Ok(stream) = context.get_stream(STREAM).await
                && let Some(cluster) = &stream.cached_info().cluster
                && let Some(leader) = &cluster.leader
                && cluster.replicas.iter().filter(|peer| peer.current).count() >= others
            {
                return leader.strip_prefix('n').unwrap().parse().unwrap();
            }
            assert!(Instant::now() < deadline, "no leader");
            sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Servers for NatsServers {
    const NAME: &str = "nats";

    async fn start() -> Self {
        let cluster = NatsCluster::start().await;
        Self {
            cluster,
            killed: Vec::new(),
        }
    }

    /// It makes the stream by itself.
    async fn publisher(&self) -> impl Publisher {
        NatsPublisher::new(self.client().await, STREAM, "revocations.auth")
    }

    async fn source(&self) -> impl EventSource + 'static {
        NatsSource::new(self.client().await, STREAM)
    }

    async fn kill_leader(&mut self) {
        let leader = self.led(1).await;
        self.cluster.nodes[leader].kill();
        self.killed.push(leader);
    }

    async fn restart_killed(&mut self) {
        for server in self.killed.drain(..) {
            self.cluster.nodes[server].restart().await;
        }
        self.led(2).await;
    }
}

impl LosingServers for NatsServers {
    /// A copy is made of the disks of two.
    async fn begin_to_lose(&mut self) {
        self.led(2).await;
        for server in SET_BACK {
            self.cluster.nodes[server].kill();
            self.cluster.nodes[server].keep();
            self.cluster.nodes[server].restart().await;
            self.led(2).await;
        }
    }

    /// These two are set back, and agree before the third one is there.
    async fn lose(&mut self) {
        for node in &mut self.cluster.nodes {
            node.kill();
        }
        for server in SET_BACK {
            self.cluster.nodes[server].put_back();
            self.cluster.nodes[server].restart().await;
        }
        self.led(1).await;
        self.cluster.nodes[2].restart().await;
        self.led(2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_killed_is_no_gap_of_jetstream() {
    in_time(a_leader_that_is_killed_is_no_gap::<NatsServers>()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_of_three_lose_that_are_set_back_is_lost_to_nobody() {
    in_time(what_a_takeover_loses_is_lost_to_nobody::<NatsServers>()).await;
}

const STREAM: &str = "REVOCATIONS";
const SET_BACK: [usize; 2] = [0, 1];
