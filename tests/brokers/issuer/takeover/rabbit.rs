//! Three nodes of RabbitMQ.

use tower_revocation::issuer::{AmqpPublisher, Publisher};
use tower_revocation::source::EventSource;
use tower_revocation::source::amqp::AmqpStream;

use super::Servers;
use crate::adapters::connect;
use crate::issuer::takeover::a_leader_that_is_killed_is_no_gap;
use crate::limit::in_time;
use crate::rabbit_nodes::RabbitNodes;

struct RabbitCluster {
    nodes: RabbitNodes,
    killed: Option<usize>,
}

impl RabbitCluster {
    /// Tries the nodes in turn.
    fn connector(&self) -> impl Fn() -> crate::adapters::Connecting + Clone + Send + Sync + 'static {
        let ports = [0, 1, 2].map(|node| self.nodes.port(node));
        move || {
            Box::pin(async move {
                let mut connected = connect(ports[0]).await;
                for port in &ports[1..] {
                    if connected.is_ok() {
                        break;
                    }
                    connected = connect(*port).await;
                }
                connected
            })
        }
    }
}

impl Servers for RabbitCluster {
    const NAME: &str = "rabbitmq";

    async fn start() -> Self {
        let nodes = RabbitNodes::start(3).await;
        Self { nodes, killed: None }
    }

    async fn publisher(&self) -> impl Publisher {
        AmqpPublisher::new(self.connector(), STREAM)
    }

    async fn source(&self) -> impl EventSource + 'static {
        AmqpStream::new(self.connector(), STREAM)
    }

    async fn kill_leader(&mut self) {
        let leader = self.nodes.leader(STREAM, 0);
        self.nodes.kill(leader);
        self.killed = Some(leader);
    }

    async fn restart_killed(&mut self) {
        if let Some(node) = self.killed.take() {
            self.nodes.restart(node).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_killed_is_no_gap_of_a_stream() {
    in_time(a_leader_that_is_killed_is_no_gap::<RabbitCluster>()).await;
}

const STREAM: &str = "revocations";
