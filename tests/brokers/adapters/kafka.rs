//! A topic of Apache Kafka, or of Tansu, which speaks its protocol.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rskafka::BackoffConfig;
use rskafka::chrono::DateTime;
use rskafka::client::error::Result;
use rskafka::client::partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::{Record, RecordAndOffset};
use tokio::time::{Instant, sleep};
use tower_revocation::issuer::{KafkaPublisher, Publisher};
use tower_revocation::source::kafka::{KafkaConfig, KafkaSource};
use tower_revocation::source::testing::Capability;

use crate::broker::Broker;
use crate::issuer::PublishedTo;
use crate::server::{Kafka, Program, Running, Tansu};

/// A topic with one partition, on a server of its own.
pub(crate) struct KafkaTopic<P> {
    server: Running<P>,
}

pub(crate) type KafkaBroker = KafkaTopic<Kafka>;
/// It keeps everything in memory: killed, it has lost all.
pub(crate) type TansuBroker = KafkaTopic<Tansu>;

/// A server that speaks the protocol.
pub(crate) trait SpeaksKafka: Program + Send + Sync {
    /// What it cannot do. It leads clients around a link.
    const LACKS: &[Capability];
    const IS_LOST_WHEN_KILLED: bool;
    /// How long it may wait for a message before it answers.
    const MAX_WAIT: Duration;
}

impl SpeaksKafka for Kafka {
    const LACKS: &[Capability] = &[Capability::Cut];
    const IS_LOST_WHEN_KILLED: bool = false;
    const MAX_WAIT: Duration = KafkaSource::DEFAULT_MAX_WAIT;
}

impl SpeaksKafka for Tansu {
    const LACKS: &[Capability] = &[Capability::Cut, Capability::Trim];
    const IS_LOST_WHEN_KILLED: bool = true;
    /// It does not answer before that, whatever is published meanwhile.
    const MAX_WAIT: Duration = Duration::from_millis(20);
}

impl<P: SpeaksKafka> Broker for KafkaTopic<P> {
    type Source = KafkaSource;

    const NAME: &str = P::NAME;

    const LACKS: &[Capability] = P::LACKS;

    async fn start() -> Self {
        let broker = Self {
            server: Running::start().await,
        };
        broker.create().await;
        broker
    }

    fn port(&self) -> u16 {
        self.server.port()
    }

    /// Brokers say where they are, so that a link to this one is soon left.
    async fn source(&self, port: u16, _replica: &str) -> KafkaSource {
        let source = KafkaSource::new(KafkaConfig::new([format!("127.0.0.1:{port}")]), TOPIC);
        source.with_max_wait(P::MAX_WAIT).with_dead_letters(DEAD)
    }

    async fn publish(&self, messages: Vec<Vec<u8>>) {
        let deadline = Instant::now() + Duration::from_secs(30);
        for chunk in messages.chunks(1000) {
            while let Err(error) = self.produce(chunk).await {
                assert!(Instant::now() < deadline, "{error}");
                sleep(Duration::from_millis(20)).await;
            }
        }
    }

    async fn dead_letters(&self) -> Vec<(Vec<u8>, String)> {
        let records = self.read(DEAD).await;
        let letters = records.into_iter().map(|RecordAndOffset { mut record, .. }| {
            let json = record.headers.remove("json").unwrap();
            let letter = (record.value.unwrap(), String::from_utf8(json).unwrap());
            (record.key.unwrap(), letter)
        });
        // As a topic that is compacted does it, of each key the last one.
        letters.collect::<BTreeMap<_, _>>().into_values().collect()
    }

    async fn kill(&mut self) {
        self.server.kill().await;
    }

    async fn restart(&mut self) {
        self.server.restart().await;
        if P::IS_LOST_WHEN_KILLED {
            self.create().await;
        }
    }

    fn freeze(&mut self) {
        self.server.freeze();
    }

    fn thaw(&mut self) {
        self.server.thaw();
    }

    async fn wipe(&mut self) {
        self.server.wipe().await;
        self.create().await;
    }

    async fn trim(&mut self, rest: usize) {
        let partition = self.partition(TOPIC).await.unwrap();
        let end = partition.get_offset(OffsetAt::Latest).await.unwrap();
        partition.delete_records(end - rest as i64, 5_000).await.unwrap();
    }

    async fn read_bare(&self, count: usize) {
        let partition = self.partition(TOPIC).await.unwrap();
        let mut next = 0;
        let mut read = 0;
        while read < count {
            let (records, _) = partition.fetch_records(next, 1..1024 * 1024, 500).await.unwrap();
            for record in records {
                next = record.offset + 1;
                read += 1;
                std::hint::black_box(record.record.value);
            }
        }
    }
}

impl PublishedTo for KafkaBroker {
    const WARNINGS: &[&str] = &["replication.factor", "min.insync.replicas", "message.timestamp.type"];

    async fn publisher(&self) -> impl Publisher {
        KafkaPublisher::new(KafkaConfig::new([self.server.url()]), TOPIC)
    }

    fn keep(&self) {
        self.server.keep();
    }

    async fn put_back(&mut self) {
        self.server.put_back().await;
    }
}

impl<P: SpeaksKafka> KafkaTopic<P> {
    async fn create(&self) {
        let client = connect(self.server.port()).await.unwrap();
        let controller = client.controller_client().unwrap();
        for topic in [TOPIC, DEAD] {
            controller.create_topic(topic, 1, 1, 5_000).await.unwrap();
        }
    }

    async fn partition(&self, topic: &str) -> Result<PartitionClient> {
        let client = connect(self.server.port()).await?;
        client.partition_client(topic, 0, UnknownTopicHandling::Error).await
    }

    async fn produce(&self, messages: &[Vec<u8>]) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let records = messages.iter().map(|message| Record {
            key: None,
            value: Some(message.clone()),
            headers: BTreeMap::new(),
            timestamp: DateTime::from_timestamp_millis(now.as_millis() as i64).unwrap(),
        });
        let partition = self.partition(TOPIC).await?;
        partition.produce(records.collect(), Compression::NoCompression).await?;
        Ok(())
    }

    async fn read(&self, topic: &str) -> Vec<RecordAndOffset> {
        let partition = self.partition(topic).await.unwrap();
        let end = partition.get_offset(OffsetAt::Latest).await.unwrap();
        let mut all = Vec::new();
        let mut next = 0;
        while next < end {
            let (records, _) = partition.fetch_records(next, 1..1024 * 1024, 500).await.unwrap();
            next = records.last().map_or(next, |last| last.offset + 1);
            all.extend(records);
        }
        all
    }
}

async fn connect(port: u16) -> Result<Client> {
    let backoff = BackoffConfig {
        deadline: Some(Duration::from_secs(2)),
        ..BackoffConfig::default()
    };
    let client = ClientBuilder::new(vec![format!("127.0.0.1:{port}")]).backoff_config(backoff);
    client.build().await
}

const TOPIC: &str = "revocations";
const DEAD: &str = "revocations-dead";
