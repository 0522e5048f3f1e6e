//! Where messages are put aside.

use std::collections::BTreeMap;
use std::sync::Arc;

use rskafka::chrono::DateTime;
use rskafka::client::Client;
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::record::Record;
use tokio::sync::Mutex;

use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;
use crate::source::kafka::connection::{PATIENCE, within};
use crate::source::log::{LogDeadLetters, Storing};

/// A topic of dead letters.
pub(super) struct KafkaDeadLetters {
    client: Arc<Client>,
    topic: String,
    partition: Mutex<Option<Arc<PartitionClient>>>,
}

impl KafkaDeadLetters {
    pub(super) fn new(client: Arc<Client>, topic: String) -> Self {
        Self {
            client,
            topic,
            partition: Mutex::new(None),
        }
    }

    async fn publish(&self, letter: &DeadLetter) -> Result<(), SourceError> {
        let failed = || SourceError::new(format!("cannot publish to the topic {}", self.topic));
        let partition = self.connected().await.map_err(|cause| failed().because(cause))?;
        let millis = i64::try_from(letter.at.as_unix_millis()).unwrap_or_default();
        let record = Record {
            key: letter.key().map(String::into_bytes),
            value: Some(letter.payload.to_vec()),
            headers: BTreeMap::from([("json".to_owned(), letter.to_json().into_bytes())]),
            timestamp: DateTime::from_timestamp_millis(millis).unwrap_or_default(),
        };
        let produced = within(PATIENCE, partition.produce(vec![record], Compression::NoCompression)).await;
        if let Err(cause) = produced {
            *self.partition.lock().await = None;
            return Err(failed().because(cause));
        }
        Ok(())
    }

    async fn connected(&self) -> Result<Arc<PartitionClient>, Box<dyn std::error::Error + Send + Sync>> {
        let mut partition = self.partition.lock().await;
        match &*partition {
            Some(partition) => Ok(Arc::clone(partition)),
            None => {
                let connected = self
                    .client
                    .partition_client(&self.topic, 0, UnknownTopicHandling::Error);
                let new = Arc::new(within(PATIENCE, connected).await?);
                Ok(Arc::clone(partition.insert(new)))
            }
        }
    }
}

impl LogDeadLetters for KafkaDeadLetters {
    /// Stores a letter, under a key that is the same for all replicas.
    fn store<'s>(&'s self, letter: &'s DeadLetter) -> Storing<'s> {
        Box::pin(self.publish(letter))
    }
}
