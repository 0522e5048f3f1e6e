//! RabbitMQ servers with settings of their own, and clusters of them.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::server::{Child, free_port, installed, new_directory};

/// Servers that know each other; killed when dropped, and their directory removed.
pub(crate) struct RabbitNodes {
    nodes: Vec<RabbitNode>,
    /// The name server of Erlang, which all of them share.
    _epmd: Child,
    // Dropped last: nothing writes to a directory that is being removed.
    directory: TempDir,
    epmd_port: u16,
}

struct RabbitNode {
    child: Child,
    name: String,
    port: u16,
    /// For the other nodes.
    cluster_port: u16,
}

impl RabbitNodes {
    /// Starts so many, and waits until all are ready. Three take 20 to 40 s on two cores.
    pub(crate) async fn start(count: usize) -> Self {
        Self::with(count, "").await
    }

    /// Starts them with more settings.
    pub(crate) async fn with(count: usize, more: &str) -> Self {
        let directory = new_directory("rabbits");
        let cookie = directory.path().join(".erlang.cookie");
        fs::write(&cookie, "of-this-test").unwrap();
        // The others have to be refused, or no node takes it.
        fs::set_permissions(&cookie, fs::Permissions::from_mode(0o400)).unwrap();
        let epmd_port = free_port();
        let mut epmd = Command::new(installed("epmd", REMEDY));
        epmd.args(["-port", &epmd_port.to_string(), "-address", "127.0.0.1"]);
        let epmd = Child::start(&epmd, &directory.path().join("epmd"));
        let ports: Vec<u16> = (0..count).map(|_| free_port()).collect();
        let names: Vec<_> = ports.iter().map(|port| format!("rmq{port}@localhost")).collect();
        let mut nodes = Vec::new();
        for (port, name) in ports.into_iter().zip(&names) {
            let place = place(directory.path(), name);
            fs::create_dir(&place).unwrap();
            fs::write(place.join("plugins"), "[].").unwrap();
            fs::write(place.join("rabbitmq.conf"), configuration(port, &names, more)).unwrap();
            let cluster_port = free_port();
            let command = command(directory.path(), name, epmd_port, cluster_port);
            nodes.push(RabbitNode {
                child: Child::start(&command, &place.join("output")),
                name: name.clone(),
                port,
                cluster_port,
            });
        }
        let mut nodes = Self {
            nodes,
            _epmd: epmd,
            directory,
            epmd_port,
        };
        for node in 0..count {
            nodes.ready(node).await;
        }
        nodes
    }

    pub(crate) fn port(&self, node: usize) -> u16 {
        self.nodes[node].port
    }

    pub(crate) fn kill(&mut self, node: usize) {
        self.nodes[node].child.kill();
    }

    /// Starts one that was killed, and does not wait for it.
    pub(crate) fn launch(&mut self, node: usize) {
        let RabbitNode { name, cluster_port, .. } = &self.nodes[node];
        let command = command(self.directory.path(), name, self.epmd_port, *cluster_port);
        self.nodes[node].child = Child::start(&command, &self.place(node).join("output"));
    }

    /// Starts one again, and waits until it is ready; kills it first if it runs.
    pub(crate) async fn restart(&mut self, node: usize) {
        self.kill(node);
        self.launch(node);
        self.ready(node).await;
    }

    /// Keeps a copy of what one has on disk. It must not run.
    pub(crate) fn keep(&self, node: usize) {
        copy(&self.place(node).join("data"), &self.place(node).join("kept"));
    }

    /// Has one what was kept, and nothing else. It must not run.
    pub(crate) fn put_back(&self, node: usize) {
        fs::remove_dir_all(self.place(node).join("data")).unwrap();
        copy(&self.place(node).join("kept"), &self.place(node).join("data"));
    }

    /// What `rabbitmqctl` says of a node.
    pub(crate) fn control(&self, node: usize, words: &[&str]) -> String {
        let RabbitNode { name, cluster_port, .. } = &self.nodes[node];
        let mut control = command(self.directory.path(), name, self.epmd_port, *cluster_port);
        control.env_remove("RABBITMQ_ALLOW_INPUT");
        let mut asked = Command::new(installed("/usr/lib/rabbitmq/bin/rabbitmqctl", REMEDY));
        for (name, value) in control.get_envs() {
            asked.env(name, value.unwrap_or_default());
        }
        let answer = asked.args(["-q", "-n", name]).args(words).output().unwrap();
        assert!(
            answer.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&answer.stderr)
        );
        String::from_utf8(answer.stdout).unwrap()
    }

    /// Which one leads a stream, as a node knows it.
    pub(crate) fn leader(&self, stream: &str, node: usize) -> usize {
        let queues = self.control(node, &["list_queues", "name", "leader"]);
        let line = queues
            .lines()
            .find_map(|line| line.strip_prefix(stream)?.strip_prefix('\t'));
        let name = line.unwrap_or_else(|| panic!("no leader of {stream}: {queues}"));
        self.nodes.iter().position(|node| node.name == name).unwrap()
    }

    pub(crate) async fn ready(&mut self, node: usize) {
        let deadline = Instant::now() + PATIENCE;
        let output = self.place(node).join("output");
        loop {
            let said = String::from_utf8_lossy(&fs::read(&output).unwrap()).into_owned();
            let is_open = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port(node))).await.is_ok();
            if is_open && said.contains("Server startup complete") {
                return;
            }
            let is_running = self.nodes[node].child.is_running();
            assert!(
                is_running && Instant::now() < deadline,
                "node {node} is not ready:\n{said}"
            );
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn place(&self, node: usize) -> PathBuf {
        place(self.directory.path(), &self.nodes[node].name)
    }
}

fn place(directory: &Path, name: &str) -> PathBuf {
    directory.join(name)
}

fn configuration(port: u16, names: &[String], more: &str) -> String {
    let mut lines = format!("listeners.tcp.1 = 127.0.0.1:{port}\n{CONFIGURATION}{more}\n");
    if names.len() > 1 {
        lines += CLUSTER;
        for (number, name) in names.iter().enumerate() {
            lines += &format!("cluster_formation.classic_config.nodes.{} = {name}\n", number + 1);
        }
    }
    lines
}

fn command(directory: &Path, name: &str, epmd_port: u16, cluster_port: u16) -> Command {
    let place = place(directory, name);
    let mut command = Command::new(installed("/usr/lib/rabbitmq/bin/rabbitmq-server", REMEDY));
    command
        // Where the secret is that nodes share.
        .env("HOME", directory)
        .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
        .env("RABBITMQ_CONFIG_FILE", place.join("rabbitmq.conf"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", place.join("plugins"))
        .env("RABBITMQ_NODENAME", name)
        .env("RABBITMQ_MNESIA_BASE", place.join("data"))
        .env("RABBITMQ_LOG_BASE", place.join("log"))
        .env("RABBITMQ_LOGS", "-")
        .env("RABBITMQ_DIST_PORT", cluster_port.to_string())
        .env("ERL_EPMD_PORT", epmd_port.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_ALLOW_INPUT", "1")
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", ERLANG_ARGUMENTS)
        .current_dir(place);
    command
}

fn copy(from: &Path, to: &Path) {
    let mut copy = Command::new(installed("cp", "apt-get install coreutils"));
    assert!(copy.arg("-a").arg(from).arg(to).status().unwrap().success());
}

const CONFIGURATION: &str = "\
log.console = true
log.file = false
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
";
const CLUSTER: &str = "\
cluster_formation.peer_discovery_backend = classic_config
cluster_partition_handling = pause_minority
";
const ERLANG_ARGUMENTS: &str = "-noinput -start_epmd false -kernel inet_dist_use_interface {127,0,0,1} +S 1:1";
const REMEDY: &str = "apt-get install rabbitmq-server";
const PATIENCE: Duration = Duration::from_secs(120);
