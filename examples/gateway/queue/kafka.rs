//! Brokers that speak Kafka's protocol.

use std::sync::Arc;
use std::time::Duration;

use rskafka::BackoffConfig;
use rskafka::chrono::DateTime;
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record;
use tower_revocation::Timestamp;
use tower_revocation::source::kafka::{KafkaConfig, KafkaSource};

use crate::Failure;

/// A connection to publish with.
pub(crate) struct Connection {
    partition: Arc<PartitionClient>,
}

impl Connection {
    pub(crate) async fn open(server: &str, topic: &str, dead_letters: Option<&str>) -> Result<Self, Failure> {
        let client = connect(server).await?;
        declare(&client, topic).await?;
        if let Some(topic) = dead_letters {
            declare(&client, topic).await?;
        }
        let partition = client.partition_client(topic, 0, UnknownTopicHandling::Retry).await?;
        Ok(Self {
            partition: Arc::new(partition),
        })
    }

    pub(crate) async fn publish(&mut self, message: &[u8]) -> Result<(), Failure> {
        let now = i64::try_from(Timestamp::now().as_unix_millis())?;
        let record = Record {
            key: None,
            value: Some(message.to_vec()),
            headers: Default::default(),
            timestamp: DateTime::from_timestamp_millis(now).ok_or("the clock is out of range")?,
        };
        self.partition.produce(vec![record], Compression::NoCompression).await?;
        Ok(())
    }
}

/// One partition, so that events keep their order.
async fn declare(client: &Client, topic: &str) -> Result<(), Failure> {
    let exists = |topics: Vec<rskafka::topic::Topic>| topics.iter().any(|known| known.name == topic);
    if !exists(client.list_topics().await?) {
        let created = client.controller_client()?.create_topic(topic, 1, 1, 5_000).await;
        // Somebody else may have been faster.
        if let Err(error) = created
            && !exists(client.list_topics().await?)
        {
            return Err(error.into());
        }
    }
    Ok(())
}

/// The feed of one gateway.
pub(crate) fn source(server: &str, topic: &str, dead_letters: Option<&str>) -> KafkaSource {
    let source = KafkaSource::new(KafkaConfig::new([server]), topic);
    match dead_letters {
        Some(topic) => source.with_dead_letters(topic),
        None => source,
    }
}

async fn connect(server: &str) -> Result<Client, Failure> {
    let patience = BackoffConfig {
        init_backoff: Duration::from_millis(50),
        max_backoff: Duration::from_secs(1),
        deadline: Some(Duration::from_secs(2)),
        ..BackoffConfig::default()
    };
    Ok(ClientBuilder::new(vec![server.to_owned()])
        .backoff_config(patience)
        .build()
        .await?)
}
