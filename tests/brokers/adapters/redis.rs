//! A stream of Redis.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::streams::{StreamId, StreamRangeReply, StreamReadReply};
use redis::{AsyncConnectionConfig, Client, RedisResult, cmd, pipe};
use tokio::time::{Instant, sleep};
use tower_revocation::issuer::{Publisher, RedisPublisher};
use tower_revocation::source::redis::RedisSource;

use crate::broker::Broker;
use crate::issuer::PublishedTo;
use crate::server::RedisServer;

/// A stream on a server of its own.
pub(crate) struct RedisBroker {
    server: RedisServer,
    client: Client,
}

impl Broker for RedisBroker {
    type Source = RedisSource;

    const NAME: &str = "redis";

    async fn start() -> Self {
        let server = RedisServer::start().await;
        Self {
            client: Client::open(server.url()).unwrap(),
            server,
        }
    }

    fn port(&self) -> u16 {
        self.server.port()
    }

    async fn source(&self, port: u16, _replica: &str) -> RedisSource {
        let client = Client::open(("127.0.0.1", port)).unwrap();
        RedisSource::new(client, STREAM).with_dead_letters(DEAD)
    }

    async fn publish(&self, messages: Vec<Vec<u8>>) {
        let deadline = Instant::now() + Duration::from_secs(30);
        for chunk in messages.chunks(500) {
            while let Err(error) = self.add(chunk).await {
                assert!(Instant::now() < deadline, "{error}");
                sleep(Duration::from_millis(20)).await;
            }
        }
    }

    async fn dead_letters(&self) -> Vec<(Vec<u8>, String)> {
        let mut connection = self.connect().await.unwrap();
        let found: StreamRangeReply = cmd("XRANGE")
            .arg(DEAD)
            .arg("-")
            .arg("+")
            .query_async(&mut connection)
            .await
            .unwrap();
        let read = |letter: StreamId| (letter.get("payload").unwrap(), letter.get("json").unwrap());
        found.ids.into_iter().map(read).collect()
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
    }

    async fn trim(&mut self, rest: usize) {
        let mut connection = self.connect().await.unwrap();
        let trim = cmd("XTRIM").arg(STREAM).arg("MAXLEN").arg("=").arg(rest).to_owned();
        trim.exec_async(&mut connection).await.unwrap();
    }

    async fn read_bare(&self, count: usize) {
        let mut connection = self.connect().await.unwrap();
        let mut last = "0-0".to_owned();
        let mut read = 0;
        while read < count {
            let answer: Option<StreamReadReply> = cmd("XREAD")
                .arg("COUNT")
                .arg(512)
                .arg("BLOCK")
                .arg(1000)
                .arg("STREAMS")
                .arg(STREAM)
                .arg(&last)
                .query_async(&mut connection)
                .await
                .unwrap();
            for entry in answer
                .into_iter()
                .flat_map(|answer| answer.keys)
                .flat_map(|key| key.ids)
            {
                let payload: Vec<u8> = entry.get("d").unwrap();
                std::hint::black_box(payload);
                read += 1;
                last = entry.id;
            }
        }
    }
}

impl PublishedTo for RedisBroker {
    const WARNINGS: &[&str] = &["replicas", "appendfsync"];

    async fn publisher(&self) -> impl Publisher {
        RedisPublisher::new(self.client.clone(), STREAM)
    }

    fn keep(&self) {
        self.server.keep();
    }

    async fn put_back(&mut self) {
        self.server.put_back().await;
    }
}

impl RedisBroker {
    async fn add(&self, messages: &[Vec<u8>]) -> RedisResult<()> {
        let mut connection = self.connect().await?;
        let mut adding = pipe();
        for message in messages {
            adding.cmd("XADD").arg(STREAM).arg("*").arg("d").arg(message);
        }
        adding.exec_async(&mut connection).await
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(5)));
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }
}

const STREAM: &str = "revocations";
const DEAD: &str = "revocations:dead";
