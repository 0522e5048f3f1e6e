//! What these tests do to servers and streams.

use std::time::{Duration, Instant};

use async_nats::jetstream::stream::Config;
use async_nats::jetstream::{Context, ContextBuilder};
use async_nats::{Client, ConnectOptions};
use tempfile::TempDir;
use tokio::time::sleep;
use tower_revocation::Timestamp;

use crate::nats_node::NatsNode;
use crate::server::new_directory;

/// A server by itself, and a client of its own.
pub(super) struct Alone {
    pub(super) node: NatsNode,
    pub(super) context: Context,
    _directory: TempDir,
}

impl Alone {
    pub(super) async fn start(config: &str) -> Self {
        let directory = new_directory("nats");
        let node = NatsNode::start(directory.path(), config).await;
        Self {
            context: context(&client(&[node.url()]).await),
            node,
            _directory: directory,
        }
    }

    pub(super) async fn with_jetstream() -> Self {
        Self::start(JETSTREAM).await
    }

    pub(super) async fn client(&self) -> Client {
        client(&[self.node.url()]).await
    }
}

/// As the documentation says; a client that knows of these servers alone.
pub(super) fn options() -> ConnectOptions {
    ConnectOptions::new()
        .retry_on_initial_connect()
        .ignore_discovered_servers()
        .connection_timeout(Duration::from_secs(2))
        .ping_interval(Duration::from_secs(2))
        .reconnect_delay_callback(|_attempts| Duration::from_millis(100))
}

pub(super) async fn client(urls: &[String]) -> Client {
    options().connect(urls).await.unwrap()
}

pub(super) fn context(client: &Client) -> Context {
    let context = ContextBuilder::new().timeout(Duration::from_secs(1));
    context.build(client.clone())
}

pub(super) fn config(name: &str, subjects: &[&str], replicas: usize) -> Config {
    Config {
        name: name.to_owned(),
        subjects: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
        num_replicas: replicas,
        ..Config::default()
    }
}

/// Makes a stream as soon as the servers can.
pub(super) async fn make(context: &Context, config: Config) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = context.get_or_create_stream(config.clone()).await {
        assert!(Instant::now() < deadline, "{error}");
        sleep(PAUSE).await;
    }
}

/// Publishes until it is confirmed. Returns its sequence, and how long that took.
pub(super) async fn publish(context: &Context, subject: &str, message: &str) -> (u64, Duration) {
    let began = Instant::now();
    loop {
        let why = match context.publish(subject.to_owned(), message.to_owned().into()).await {
            Ok(published) => match published.await {
                Ok(confirmed) => return (confirmed.sequence, began.elapsed()),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        assert!(began.elapsed() < PATIENCE, "not confirmed: {why}");
        sleep(PAUSE).await;
    }
}

/// A message that revokes a subject.
pub(super) async fn revoke(context: &Context, stream: &str, subject: &str) -> (u64, Duration) {
    publish(context, stream, &format!("+{subject}@1000")).await
}

/// Waits until it is later than all that was published so far, and returns that time.
pub(super) async fn later() -> Timestamp {
    sleep(Duration::from_millis(5)).await;
    let now = Timestamp::now();
    sleep(Duration::from_millis(5)).await;
    now
}

pub(super) const JETSTREAM: &str = "jetstream { store_dir: \"STORE\" }";

/// How long a cluster may take to agree.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);
