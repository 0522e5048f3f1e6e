//! Three nodes that can be cut apart.

use futures_util::future::join_all;
use tokio::sync::{Mutex, MutexGuard};
use tower_revocation::source::kafka::{KafkaConfig, KafkaSource};

use super::tool::KafkaTool;
use crate::link::Link;
use crate::server::{Kafka, KafkaServer, free_port};

/// Three nodes. Each reaches the others over links of its own, and clients reach it over another one.
pub(super) struct Three {
    pub(super) nodes: Vec<KafkaServer>,
    pub(super) tool: KafkaTool,
    /// Over which clients reach each.
    pub(super) clients: Vec<Link>,
    /// Over which each is reached by the others: as a broker, and by each of them as a controller.
    followers: Vec<Link>,
    controllers: Vec<Vec<Link>>,
    _alone: MutexGuard<'static, ()>,
}

/// Three nodes at a time are enough for a small machine.
static ALONE: Mutex<()> = Mutex::const_new(());

impl Three {
    pub(super) async fn start() -> Self {
        let alone = ALONE.lock().await;
        let [ports, internal, controller] = [(); 3].map(|()| [(); 3].map(|()| free_port()));
        let (mut clients, mut followers, mut controllers) = (Vec::new(), Vec::new(), Vec::new());
        for of in 0..3 {
            clients.push(Link::to(ports[of]).await);
            followers.push(Link::to(internal[of]).await);
            let mut links = Vec::new();
            for _from in 0..3 {
                links.push(Link::to(controller[of]).await);
            }
            controllers.push(links);
        }
        let starting = (0..3).map(|node| {
            let voters = (0..3).map(|of| {
                let port = if of == node { controller[of] } else { controllers[of][node].port };
                format!("{}@127.0.0.1:{port}", of + 1)
            });
            let (own, client, follower) = (internal[node], clients[node].port, followers[node].port);
            let program = Kafka {
                id: node + 1,
                controller: controller[node],
                voters: voters.collect(),
                settings: vec![
                    format!("listeners=CLIENTS://127.0.0.1:{{port}},INTERNAL://127.0.0.1:{own},CONTROLLER://127.0.0.1:{{controller}}"),
                    format!("advertised.listeners=CLIENTS://127.0.0.1:{client},INTERNAL://127.0.0.1:{follower}"),
                    "listener.security.protocol.map=CLIENTS:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned(),
                    "inter.broker.listener.name=INTERNAL".to_owned(),
                ],
                users: Vec::new(),
            };
            KafkaServer::start_on(ports[node], program)
        });
        let nodes = join_all(starting).await;
        let tool = KafkaTool::start(&Self::bootstrap(&clients).join(","));
        Self {
            nodes,
            tool,
            clients,
            followers,
            controllers,
            _alone: alone,
        }
    }

    /// Makes a topic that all three have, led by the first.
    pub(super) fn create(&self, topic: &str) {
        self.tool.ask(&format!(
            "create {topic} message.timestamp.type=LogAppendTime replicas=1,2,3"
        ));
    }

    pub(super) fn source(&self, topic: &str) -> KafkaSource {
        KafkaSource::new(KafkaConfig::new(Self::bootstrap(&self.clients)), topic)
    }

    /// Cuts a node off from the others, and from no client.
    pub(super) fn isolate(&self, node: usize) {
        for link in self.around(node) {
            link.cut();
        }
    }

    pub(super) fn heal(&self, node: usize) {
        for link in self.around(node) {
            link.mend();
        }
    }

    fn around(&self, node: usize) -> impl Iterator<Item = &Link> {
        let from_it = self.controllers.iter().map(move |links| &links[node]);
        from_it.chain(&self.controllers[node]).chain([&self.followers[node]])
    }

    fn bootstrap(clients: &[Link]) -> Vec<String> {
        clients.iter().map(|link| format!("127.0.0.1:{}", link.port)).collect()
    }
}
