//! Three nodes that can be cut apart.

use std::fs;
use std::net::Ipv4Addr;

use futures_util::future::join_all;
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};
use tower_revocation::source::kafka::{KafkaConfig, KafkaSource};

use super::tool::KafkaTool;
use crate::link::Link;
use crate::server::{Kafka, KafkaServer, free_port};

/// Three nodes. Each reaches each other one over links of its own, and clients reach it over another one.
pub(crate) struct Three {
    pub(crate) nodes: Vec<KafkaServer>,
    pub(crate) tool: KafkaTool,
    /// Over which clients reach each.
    pub(crate) clients: Vec<Link>,
    /// From one node to another one, the first of each two for copies.
    between: Vec<(usize, usize, Link)>,
    _files: TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// Three nodes at a time are enough for a small machine.
static ALONE: Mutex<()> = Mutex::const_new(());

impl Three {
    /// Starts them. They tell each other their names, and each of them knows the others by addresses of its own.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts them with more settings.
    pub(crate) async fn with(more: &[&str]) -> Self {
        let alone = ALONE.lock().await;
        let files = TempDir::new().unwrap();
        let [ports, internal, controller] = [(); 3].map(|()| [(); 3].map(|()| free_port()));
        let (mut clients, mut between, mut starting) = (Vec::new(), Vec::new(), Vec::new());
        for node in 0..3_u8 {
            let of = usize::from(node);
            clients.push(Link::to(ports[of]).await);
            let mut names = "127.0.0.1 localhost\n".to_owned();
            for other in 0..3_u8 {
                let mut address = Ipv4Addr::LOCALHOST;
                if other != node {
                    // Other runs may have the same addresses, with other ports.
                    address = Ipv4Addr::new(127, 0, 1, 10 * node + other);
                    for port in [internal, controller].map(|ports| ports[usize::from(other)]) {
                        let link = Link::at((address, port).into(), port).await;
                        between.push((of, usize::from(other), link));
                    }
                }
                names.push_str(&format!("{address} node-{other}\n"));
            }
            let hosts = files.path().join(format!("hosts-{node}"));
            fs::write(&hosts, names).unwrap();
            let (own, client) = (internal[of], clients[of].port);
            let mut settings = vec![
                format!(
                    "listeners=CLIENTS://127.0.0.1:{{port}},INTERNAL://127.0.0.1:{own},CONTROLLER://127.0.0.1:{{controller}}"
                ),
                format!(
                    "advertised.listeners=CLIENTS://127.0.0.1:{client},INTERNAL://node-{node}:{own},CONTROLLER://node-{node}:{{controller}}"
                ),
                "listener.security.protocol.map=CLIENTS:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned(),
                "inter.broker.listener.name=INTERNAL".to_owned(),
            ];
            settings.extend(more.iter().map(|line| (*line).to_owned()));
            let program = Kafka {
                id: of + 1,
                controller: controller[of],
                voters: (0..3)
                    .map(|of| format!("{}@node-{of}:{}", of + 1, controller[of]))
                    .collect(),
                settings,
                options: vec![format!("-Djdk.net.hosts.file={}", hosts.display())],
                users: Vec::new(),
            };
            starting.push(KafkaServer::start_on(ports[of], program));
        }
        let nodes = join_all(starting).await;
        let tool = KafkaTool::start(&Self::bootstrap(&clients).join(","));
        Self {
            nodes,
            tool,
            clients,
            between,
            _files: files,
            _alone: alone,
        }
    }

    /// Makes a topic that all three have, led by the first.
    pub(crate) fn create(&self, topic: &str) {
        self.tool.ask(&format!(
            "create {topic} message.timestamp.type=LogAppendTime replicas=1,2,3"
        ));
    }

    pub(crate) fn config(&self) -> KafkaConfig {
        KafkaConfig::new(Self::bootstrap(&self.clients))
    }

    pub(crate) fn source(&self, topic: &str) -> KafkaSource {
        KafkaSource::new(self.config(), topic)
    }

    /// Has nobody copy from a node, while all of them agree on who leads.
    pub(crate) fn stop_copying_from(&self, node: usize) {
        for pair in self.between.chunks(2) {
            let (_, to, link) = &pair[0];
            if *to == node {
                link.cut();
            }
        }
    }

    /// Cuts a node off from the others, and from no client.
    pub(crate) fn isolate(&self, node: usize) {
        for link in self.around(node) {
            link.cut();
        }
    }

    pub(crate) fn heal(&self, node: usize) {
        for link in self.around(node) {
            link.mend();
        }
    }

    fn around(&self, node: usize) -> impl Iterator<Item = &Link> {
        let is_at = move |(from, to, _): &&(usize, usize, Link)| *from == node || *to == node;
        self.between.iter().filter(is_at).map(|(_, _, link)| link)
    }

    fn bootstrap(clients: &[Link]) -> Vec<String> {
        clients.iter().map(|link| format!("127.0.0.1:{}", link.port)).collect()
    }
}
