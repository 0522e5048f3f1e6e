//! Redis servers with settings of their own, and sets of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, FromRedisValue, RedisResult, cmd};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::server::{Child, free_port, new_directory, redis_server};

/// A server; killed when dropped, and its directory removed.
pub(crate) struct RedisNode {
    // Dropped in this order: nothing writes to a directory that is being removed.
    child: Child,
    directory: TempDir,
    program: PathBuf,
    arguments: Vec<String>,
    pub(crate) port: u16,
}

impl RedisNode {
    /// Starts one that keeps its data in a file, with more arguments, and waits until it answers.
    pub(crate) async fn start(more: &[&str]) -> Self {
        Self::with(&[KEEPS, more].concat()).await
    }

    /// Starts one that is reached over TLS alone, with the certificates of a directory.
    pub(crate) async fn over_tls(certificates: &Path) -> Self {
        let file = |name: &str| certificates.join(name).display().to_string();
        let (certificate, key, authority) = (file("server.pem"), file("server.key"), file("ca.pem"));
        Self::start(&[
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
            "--tls-ca-cert-file",
            &authority,
        ])
        .await
    }

    /// Starts one with these arguments alone.
    pub(crate) async fn with(arguments: &[&str]) -> Self {
        Self::of(redis_server(), arguments).await
    }

    /// Starts one of another version, that keeps its data in a file.
    pub(crate) async fn start_program(program: PathBuf) -> Self {
        Self::of(program, KEEPS).await
    }

    async fn of(program: PathBuf, arguments: &[&str]) -> Self {
        let directory = new_directory("redis");
        let port = free_port();
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let node = Self {
            child: launch(&program, directory.path(), port, &arguments),
            directory,
            program,
            arguments,
            port,
        };
        node.ready().await;
        node
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill();
    }

    pub(crate) async fn restart(&mut self) {
        self.child.kill();
        self.child = launch(&self.program, self.directory.path(), self.port, &self.arguments);
        self.ready().await;
    }

    pub(crate) fn freeze(&mut self) {
        self.child.freeze();
    }

    pub(crate) fn thaw(&mut self) {
        self.child.thaw();
    }

    pub(crate) fn client(&self) -> Client {
        Client::open(("127.0.0.1", self.port)).unwrap()
    }

    /// A command in words, over a connection of its own.
    pub(crate) async fn run<T: FromRedisValue>(&self, words: &str) -> RedisResult<T> {
        ask(&self.client(), words).await
    }

    /// Adds a message under an id, `*` for one of the server's.
    pub(crate) async fn add(&self, id: &str, message: &str) -> RedisResult<String> {
        let add = cmd("XADD").arg(STREAM).arg(id).arg("d").arg(message).to_owned();
        add.query_async(&mut connect(&self.client()).await?).await
    }

    /// Waits until a command is answered as wanted.
    pub(crate) async fn until(&self, words: &str, wanted: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let answer = match self.run::<redis::Value>(words).await {
                Ok(answer) => format!("{answer:?}"),
                Err(error) => error.to_string(),
            };
            if wanted(&answer) {
                return;
            }
            assert!(Instant::now() < deadline, "{words}: {answer}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// What does not let it in counts as an answer.
    async fn ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while let Err(error) = self.run::<redis::Value>("PING").await {
            // Over TLS, others ask.
            let is_tls = is_over_tls(&self.arguments) && !error.is_connection_refusal();
            if is_tls || !error.is_io_error() && !matches!(error.code(), Some("LOADING")) {
                return;
            }
            assert_ne!(error.kind(), ErrorKind::InvalidClientConfig);
            assert!(Instant::now() < deadline, "{error}");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn ask<T: FromRedisValue>(client: &Client, words: &str) -> RedisResult<T> {
    let mut words = words.split(' ');
    let mut command = cmd(words.next().expect("there is a first one"));
    words.for_each(|word| {
        command.arg(word);
    });
    command.query_async(&mut connect(client).await?).await
}

async fn connect(client: &Client) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(5)));
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// A master, a replica, and three Sentinels that know them as `m`.
pub(crate) struct Replicated {
    pub(crate) master: RedisNode,
    pub(crate) replica: RedisNode,
    pub(crate) sentinels: Vec<RedisNode>,
}

impl Replicated {
    pub(crate) async fn start() -> Self {
        let [master, replica] = pair().await;
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            let sentinel = RedisNode::with(&["--sentinel"]).await;
            for words in [
                format!("SENTINEL MONITOR m 127.0.0.1 {} 2", master.port),
                "SENTINEL SET m down-after-milliseconds 1000".to_owned(),
                "SENTINEL SET m failover-timeout 10000".to_owned(),
            ] {
                sentinel.run::<()>(&words).await.unwrap();
            }
            sentinels.push(sentinel);
        }
        for sentinel in &sentinels {
            // They hear of each other and of the replica by what is published every 2 s.
            sentinel
                .until("SENTINEL CKQUORUM m", |answer| answer.contains("3 usable"))
                .await;
            sentinel
                .until("SENTINEL REPLICAS m", |answer| answer.contains("127.0.0.1"))
                .await;
        }
        Self {
            master,
            replica,
            sentinels,
        }
    }

    pub(crate) fn sentinel_clients(&self) -> Vec<Client> {
        self.sentinels.iter().map(RedisNode::client).collect()
    }

    /// Waits until the replica is the master.
    pub(crate) async fn promoted(&self) {
        is_master(&self.replica).await;
    }
}

/// Waits until a node takes itself for a master.
pub(crate) async fn is_master(node: &RedisNode) {
    node.until("INFO replication", |answer| answer.contains("role:master"))
        .await;
}

/// A master and a replica of it.
pub(crate) async fn pair() -> [RedisNode; 2] {
    let master = RedisNode::start(&["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"]).await;
    let replica = RedisNode::start(&["--replicaof", "127.0.0.1", &master.port.to_string()]).await;
    linked(&replica).await;
    [master, replica]
}

/// Waits until a replica has its master's data.
pub(crate) async fn linked(replica: &RedisNode) {
    replica
        .until("INFO replication", |answer| answer.contains("master_link_status:up"))
        .await;
}

/// A Redis Cluster of three masters, the first of which has the stream's key and a replica: the last.
pub(crate) async fn cluster() -> Vec<RedisNode> {
    let mut nodes = Vec::new();
    for _ in 0..4 {
        let bus = free_port().to_string();
        nodes.push(
            RedisNode::start(&[
                "--cluster-enabled",
                "yes",
                "--cluster-node-timeout",
                "2000",
                "--cluster-port",
                &bus,
                "--repl-diskless-sync-delay",
                "0",
            ])
            .await,
        );
    }
    let slot: u16 = nodes[0].run(&format!("CLUSTER KEYSLOT {STREAM}")).await.unwrap();
    let rest: Vec<u16> = (0..16_384).filter(|other| *other != slot).collect();
    for (node, slots) in nodes.iter().zip([&[slot][..], &rest[..8_000], &rest[8_000..]]) {
        let slots: Vec<String> = slots.iter().map(u16::to_string).collect();
        node.run::<()>(&format!("CLUSTER ADDSLOTS {}", slots.join(" ")))
            .await
            .unwrap();
    }
    for node in &nodes[1..] {
        let bus = &node.arguments[node.arguments.iter().position(|word| word == "--cluster-port").unwrap() + 1];
        let meet = format!("CLUSTER MEET 127.0.0.1 {} {bus}", node.port);
        nodes[0].run::<()>(&meet).await.unwrap();
    }
    for node in &nodes {
        node.until("CLUSTER INFO", |answer| {
            answer.contains("cluster_state:ok") && answer.contains("cluster_known_nodes:4")
        })
        .await;
    }
    let owner: String = nodes[0].run("CLUSTER MYID").await.unwrap();
    nodes[3]
        .until(&format!("CLUSTER REPLICATE {owner}"), |answer| answer.contains("ok"))
        .await;
    linked(&nodes[3]).await;
    // Those who vote have to know it.
    nodes[1]
        .until(&format!("CLUSTER REPLICAS {owner}"), |answer| answer.contains("slave"))
        .await;
    nodes
}

fn launch(program: &Path, directory: &Path, port: u16, arguments: &[String]) -> Child {
    let mut command = Command::new(program);
    if arguments.iter().any(|argument| argument == "--sentinel") {
        // It writes down what it knows.
        let configuration = directory.join("sentinel.conf");
        if !configuration.exists() {
            fs::write(&configuration, "").expect("a file can be written in a new directory");
        }
        command.arg(configuration);
    }
    let port = port.to_string();
    match is_over_tls(arguments) {
        true => command.args(["--port", "0", "--tls-port", &port]),
        false => command.args(["--port", &port]),
    };
    command.args(["--bind", "127.0.0.1", "--daemonize", "no", "--dir"]);
    command.arg(directory).args(arguments);
    command.current_dir(directory);
    Child::start(&command, &directory.join("output"))
}

fn is_over_tls(arguments: &[String]) -> bool {
    arguments.iter().any(|argument| argument == "--tls-cert-file")
}

/// Where all of them have their messages.
pub(crate) const STREAM: &str = "revocations";

const KEEPS: &[&str] = &["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""];
