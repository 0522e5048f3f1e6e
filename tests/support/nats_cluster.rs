//! Three NATS servers whose links to each other can be cut.

use tempfile::TempDir;

use crate::link::Link;
use crate::nats_node::NatsNode;
use crate::server::{free_port, nats_server, new_directory};

/// Servers 0, 1 and 2. Each reaches each other one over a link of its own.
pub(crate) struct NatsCluster {
    pub(crate) nodes: Vec<NatsNode>,
    links: Vec<([usize; 2], Link)>,
    // Dropped last: nothing writes to a directory that is being removed.
    _directory: TempDir,
}

impl NatsCluster {
    /// Starts them, and waits until each takes connections. Their first stream takes some seconds more.
    pub(crate) async fn start() -> Self {
        let directory = new_directory("nats-cluster");
        let routes: [u16; SERVERS] = std::array::from_fn(|_| free_port());
        let mut links = Vec::new();
        for near in 0..SERVERS {
            for far in (0..SERVERS).filter(|far| *far != near) {
                links.push(([near, far], Link::to(routes[far]).await));
            }
        }
        let mut nodes = Vec::new();
        for (server, route) in routes.iter().enumerate() {
            let ways = links.iter().filter(|([near, _], _)| *near == server);
            let ways: Vec<_> = ways
                .map(|(_, link)| format!("\"nats://127.0.0.1:{}\"", link.port))
                .collect();
            let config = format!(
                "server_name: n{server}\njetstream {{ store_dir: \"STORE\" }}\n\
                 accounts {{ A: {{ jetstream: enabled, users: [{{ user: a, password: a }}] }} }}\nno_auth_user: a\n\
                 # Gossip leads nowhere: otherwise the servers find ways around the links.\n\
                 cluster {{ name: three, listen: \"127.0.0.1:{route}\", advertise: \"127.0.0.1:9\", no_advertise: true, routes: [{}] }}",
                ways.join(", "),
            );
            let place = directory.path().join(format!("n{server}"));
            nodes.push(NatsNode::launch(nats_server(), &place, free_port(), &config));
        }
        for node in &nodes {
            node.ready().await;
        }
        Self {
            nodes,
            links,
            _directory: directory,
        }
    }

    /// What a client is given to connect to some of them.
    pub(crate) fn urls(&self, servers: &[usize]) -> Vec<String> {
        servers.iter().map(|server| self.nodes[*server].url()).collect()
    }

    /// Cuts a server off from the others, and not from its clients.
    pub(crate) fn cut_off(&self, server: usize) {
        self.links_of(server).for_each(Link::sever);
    }

    pub(crate) fn mend(&self, server: usize) {
        self.links_of(server).for_each(Link::mend);
    }

    fn links_of(&self, server: usize) -> impl Iterator<Item = &Link> {
        let touches = move |(ends, _): &&([usize; 2], Link)| ends.contains(&server);
        self.links.iter().filter(touches).map(|(_, link)| link)
    }
}

pub(crate) const SERVERS: usize = 3;
