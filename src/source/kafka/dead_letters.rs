//! Where messages are put aside.

use tokio::sync::Mutex;

use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;
use crate::source::kafka::broker::Broker;
use crate::source::kafka::cluster::Cluster;
use crate::source::kafka::wire::{NewRecord, Produce};
use crate::source::log::{LogDeadLetters, Storing};

/// A topic of dead letters.
pub(super) struct KafkaDeadLetters {
    cluster: Cluster,
    /// The leader of its first partition, as long as it takes letters.
    leader: Mutex<Option<Broker>>,
}

impl KafkaDeadLetters {
    pub(super) fn new(cluster: Cluster) -> Self {
        Self {
            cluster,
            leader: Mutex::new(None),
        }
    }

    async fn publish(&self, letter: &DeadLetter) -> Result<(), SourceError> {
        let (key, json) = (letter.key(), letter.to_json());
        let record = NewRecord {
            time: i64::try_from(letter.at.as_unix_millis()).unwrap_or_default(),
            key: key.as_deref().map(str::as_bytes),
            value: &letter.payload,
            header: Some(("json", json.as_bytes())),
        };
        let batch = record.to_batch();
        let request = Produce {
            topic: &self.cluster.topic,
            partition: FIRST,
            batch,
            timeout_ms: TIMEOUT_MS,
        };
        let mut kept = self.leader.lock().await;
        // If this is dropped, nobody knows what is still to come over the connection.
        let mut leader = match kept.take() {
            Some(leader) => leader,
            None => self.connect().await?,
        };
        let produced = leader.call(&request).await?;
        // What is stored is stored, however long the broker wants to be left alone afterwards.
        leader.throttle(produced.throttled_ms);
        produced
            .code
            .ok()
            .map_err(|code| SourceError::new("the letter is refused").because(code))?;
        *kept = Some(leader);
        Ok(())
    }

    async fn connect(&self) -> Result<Broker, SourceError> {
        let view = self.cluster.look_up().await?;
        let leader = view.partition(FIRST).map_or(-1, |partition| partition.leader);
        self.cluster.connect(leader).await
    }
}

impl LogDeadLetters for KafkaDeadLetters {
    /// Stores a letter, under a key that is the same for all replicas.
    fn store<'s>(&'s self, letter: &'s DeadLetter) -> Storing<'s> {
        Box::pin(async move {
            let failed = || SourceError::new(format!("cannot publish to the topic {}", self.cluster.topic));
            self.publish(letter).await.map_err(|cause| failed().because(cause))
        })
    }
}

/// The partition of the topic to which letters go.
const FIRST: u32 = 0;

/// How long the leader may wait for its followers.
const TIMEOUT_MS: i32 = 1_500;
