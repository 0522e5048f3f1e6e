//! Three nodes of Kafka.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tower_revocation::issuer::{KafkaPublisher, Publisher};
use tower_revocation::source::EventSource;

use super::{LosingServers, Servers};
use crate::issuer::takeover::{a_leader_that_is_killed_is_no_gap, what_a_takeover_loses_is_lost_to_nobody};
use crate::kafka_nodes::Three;
use crate::limit::in_time;

impl Servers for Three {
    const NAME: &str = "kafka";

    async fn start() -> Self {
        let three = Self::with(&["replica.lag.time.max.ms=2000"]).await;
        three.create(TOPIC);
        three
    }

    async fn publisher(&self) -> impl Publisher {
        KafkaPublisher::new(self.config(), TOPIC)
    }

    async fn source(&self) -> impl EventSource + 'static {
        Self::source(self, TOPIC)
    }

    async fn kill_leader(&mut self) {
        self.nodes[0].kill().await;
    }

    async fn restart_killed(&mut self) {
        self.nodes[0].restart().await;
    }
}

impl LosingServers for Three {
    /// The leader is alone with what it confirms, as the settings say that it may be.
    async fn begin_to_lose(&mut self) {
        let careless = "unclean.leader.election.enable=true min.insync.replicas=1";
        self.tool.ask(&format!("set {TOPIC} {careless}"));
        self.stop_copying_from(0);
        until_led(self, |leader| leader == "1 1").await;
    }

    async fn lose(&mut self) {
        self.nodes[0].kill().await;
        self.heal(0);
        until_led(self, |leader| leader.starts_with(['2', '3'])).await;
    }
}

/// Waits until the leader and the replicas in sync are as wanted.
async fn until_led(three: &Three, wanted: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let leader = three.tool.ask(&format!("leader {TOPIC}"));
        if wanted(&leader) {
            return;
        }
        assert!(Instant::now() < deadline, "{leader}");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_killed_is_no_gap_of_kafka() {
    in_time(a_leader_that_is_killed_is_no_gap::<Three>()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_unclean_election_loses_is_lost_to_nobody() {
    in_time(what_a_takeover_loses_is_lost_to_nobody::<Three>()).await;
}

const TOPIC: &str = "revocations";
