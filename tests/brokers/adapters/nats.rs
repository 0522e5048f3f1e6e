//! NATS JetStream.

use std::time::Duration;

use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use async_nats::jetstream::stream::{self, Stream};
use async_nats::jetstream::{self, Context, ContextBuilder};
use async_nats::{Client, ConnectOptions};
use futures_util::StreamExt;
use tokio::time::{Instant, sleep};
use tower_revocation::issuer::{NatsPublisher, Publisher};
use tower_revocation::source::nats::NatsSource;

use crate::broker::Broker;
use crate::issuer::PublishedTo;
use crate::server::NatsServer;

/// A server with a stream for revocations, and one for dead letters.
pub(crate) struct Nats {
    server: NatsServer,
    client: Client,
    context: Context,
}

impl Broker for Nats {
    type Source = NatsSource;

    const NAME: &str = "nats";

    async fn start() -> Self {
        let server = NatsServer::start().await;
        let client = connect(server.port()).await;
        // Those that wait for a server that is gone are not to hold up those that find it again.
        let context = ContextBuilder::new()
            .timeout(Duration::from_millis(500))
            .build(client.clone());
        let nats = Self {
            server,
            client,
            context,
        };
        nats.declare().await;
        nats
    }

    fn port(&self) -> u16 {
        self.server.port()
    }

    async fn source(&self, port: u16, _replica: &str) -> NatsSource {
        NatsSource::new(connect(port).await, STREAM).with_dead_letters(DEAD_LETTERS)
    }

    async fn publish(&self, messages: Vec<Vec<u8>>) {
        let mut rest = &*messages;
        while !rest.is_empty() {
            let batch = &rest[..rest.len().min(WINDOW)];
            let confirmed = self.publish_batch(batch).await;
            rest = &rest[confirmed..];
        }
    }

    async fn dead_letters(&self) -> Vec<(Vec<u8>, String)> {
        let stream = self.context.get_stream(DEAD_STREAM).await.unwrap();
        let last = stream.cached_info().state.last_sequence;
        let mut letters = Vec::new();
        for sequence in 1..=last {
            let letter = stream.get_raw_message(sequence).await.unwrap();
            let about = letter.headers.get("Revocation-Dead-Letter").unwrap();
            letters.push((letter.payload.to_vec(), about.to_string()));
        }
        letters
    }

    async fn kill(&mut self) {
        self.server.kill().await;
    }

    async fn restart(&mut self) {
        self.server.restart().await;
    }

    fn freeze(&mut self) {
        self.server.freeze();
    }

    fn thaw(&mut self) {
        self.server.thaw();
    }

    async fn wipe(&mut self) {
        self.server.wipe().await;
        self.declare().await;
    }

    async fn trim(&mut self, rest: usize) {
        self.stream().await.purge().keep(rest as u64).await.unwrap();
    }

    async fn read_bare(&self, count: usize) {
        let client = connect(self.port()).await;
        let stream = jetstream::new(client).get_stream(STREAM).await.unwrap();
        let config = pull::Config {
            deliver_policy: DeliverPolicy::All,
            ..pull::Config::default()
        };
        let consumer = stream.create_consumer(config).await.unwrap();
        let mut messages = consumer.messages().await.unwrap().take(count);
        while let Some(message) = messages.next().await {
            message.unwrap().ack().await.unwrap();
        }
    }
}

impl PublishedTo for Nats {
    const WARNINGS: &[&str] = &["num_replicas"];

    async fn publisher(&self) -> impl Publisher {
        NatsPublisher::new(connect(self.port()).await, STREAM, SUBJECT)
    }

    fn keep(&self) {
        self.server.keep();
    }

    async fn put_back(&mut self) {
        self.server.put_back().await;
    }
}

impl Nats {
    /// As a deployment would, once.
    async fn declare(&self) {
        for (name, subject) in [(STREAM, SUBJECT), (DEAD_STREAM, DEAD_LETTERS)] {
            let config = stream::Config {
                name: name.to_owned(),
                subjects: vec![subject.to_owned()],
                max_age: Duration::from_secs(60 * 60),
                ..stream::Config::default()
            };
            let deadline = Instant::now() + PATIENCE;
            while let Err(error) = self.context.get_or_create_stream(config.clone()).await {
                assert!(Instant::now() < deadline, "{error}");
                sleep(PAUSE).await;
            }
        }
    }

    /// Publishes messages without waiting for one another, and returns how many of the first of them are confirmed.
    async fn publish_batch(&self, messages: &[Vec<u8>]) -> usize {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut confirmations = Vec::new();
            for message in messages {
                match self.context.publish(SUBJECT, message.clone().into()).await {
                    Ok(confirmation) => confirmations.push(confirmation),
                    Err(_) => break,
                }
            }
            let mut confirmed = 0;
            for confirmation in confirmations {
                if confirmation.await.is_err() {
                    break;
                }
                confirmed += 1;
            }
            if confirmed > 0 {
                return confirmed;
            }
            assert!(
                Instant::now() < deadline,
                "nothing is confirmed: {}",
                self.client.connection_state()
            );
            sleep(PAUSE).await;
        }
    }

    async fn stream(&self) -> Stream {
        self.context.get_stream(STREAM).await.unwrap()
    }
}

async fn connect(port: u16) -> Client {
    ConnectOptions::new()
        .retry_on_initial_connect()
        .connection_timeout(Duration::from_secs(2))
        .ping_interval(Duration::from_secs(2))
        .reconnect_delay_callback(|_attempts| Duration::from_millis(100))
        .connect(format!("nats://127.0.0.1:{port}"))
        .await
        .unwrap()
}

const STREAM: &str = "revocations";
const SUBJECT: &str = "revocations";
const DEAD_STREAM: &str = "dead-letters";
const DEAD_LETTERS: &str = "dead.letters";

/// How many messages are on their way at once.
const WINDOW: usize = 1_000;

/// How long a server may be away.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);
