//! A topic as one replica reads it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use rskafka::client::Client;
use tokio::time::sleep;

use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, EventSource, Signal};
use crate::source::kafka::dead_letters::KafkaDeadLetters;
use crate::source::kafka::partition::partitions;
use crate::source::kafka::reader::PartitionReader;
use crate::source::log::{CaughtUp, LogDeadLetters, LogDelivery, ReadAhead};
use crate::source::position::Start;

/// A topic of Kafka as one replica reads it. See the [module](super) for what the topic should be like.
pub struct KafkaSource {
    client: Arc<Client>,
    topic: String,
    name: String,
    max_wait: Duration,
    dead_letters: Option<Arc<dyn LogDeadLetters>>,
    /// The partitions as they were when they were last looked up.
    partitions: Vec<u32>,
    reading: Option<ReadAhead>,
}

impl KafkaSource {
    /// Returns a source of the topic of that name, all its partitions.
    ///
    /// The client may be shared. Whatever it does for longer than a few seconds is given up and begun anew, so that its
    /// own deadlines do not matter.
    #[must_use]
    pub fn new(client: impl Into<Arc<Client>>, topic: impl Into<String>) -> Self {
        let topic = topic.into();
        Self {
            client: client.into(),
            name: format!("kafka:{topic}"),
            topic,
            max_wait: Self::DEFAULT_MAX_WAIT,
            dead_letters: None,
            partitions: Vec::new(),
            reading: None,
        }
    }

    /// Publishes dead letters to the first partition of this topic. By default they are not stored.
    ///
    /// Each replica publishes its own, with the same key, the feed's name and the message's position: a topic with
    /// `cleanup.policy=compact` keeps one of them. What is known beside the payload is in the header `json`.
    #[must_use]
    pub fn with_dead_letters(mut self, topic: impl Into<String>) -> Self {
        self.dead_letters = Some(Arc::new(KafkaDeadLetters::new(Arc::clone(&self.client), topic.into())));
        self
    }

    /// Sets how long a broker waits for a message before it says that there is none. Defaults to
    /// [half a second](Self::DEFAULT_MAX_WAIT), and is never more than a second.
    ///
    /// Kafka answers as soon as one comes, so there this is about how often an idle broker is asked. Other servers that speak
    /// its protocol may not: with these it is how late messages come.
    #[must_use]
    pub fn with_max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = max_wait.clamp(Duration::from_millis(1), Duration::from_secs(1));
        self
    }

    /// How long a broker waits for a message: half a second.
    pub const DEFAULT_MAX_WAIT: Duration = Duration::from_millis(500);

    /// Looks the partitions up. If that fails, those of the last time will do: the client asks on a connection that it never
    /// gives up, however dead, but makes new ones to partitions.
    async fn look_up(&mut self) -> Result<(), SourceError> {
        match partitions(&self.client, &self.topic).await {
            Ok(found) => self.partitions = found,
            Err(error) if self.partitions.is_empty() => return Err(error),
            Err(_) => {}
        }
        Ok(())
    }
}

impl EventSource for KafkaSource {
    type Delivery = LogDelivery;

    fn name(&self) -> &str {
        &self.name
    }

    async fn open(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        self.reading = None;
        self.look_up().await?;
        let opening = self.partitions.iter().map(|&number| {
            let dead_letters = self.dead_letters.clone();
            PartitionReader::open(&self.client, &self.topic, number, start, self.max_wait, dead_letters)
        });
        let mut continuity = Continuity::Complete;
        let (mut readers, mut places, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for (reader, of_partition, [place, end]) in try_join_all(opening).await? {
            readers.push(reader);
            places.push(place);
            ends.push(end);
            if continuity == Continuity::Complete {
                continuity = of_partition;
            }
        }
        let watch = watch(Arc::clone(&self.client), self.topic.clone(), self.partitions.clone());
        let mut caught_up = CaughtUp::from(places);
        caught_up.ends(ends);
        self.reading = Some(ReadAhead::begin(readers, watch, caught_up));
        Ok(continuity)
    }

    async fn next(&mut self) -> Result<Signal<LogDelivery>, SourceError> {
        match &mut self.reading {
            Some(reading) => reading.next().await,
            None => Err(SourceError::new("the topic is not open")),
        }
    }

    async fn close(&mut self) {
        self.reading = None;
    }
}

impl fmt::Debug for KafkaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSource")
            .field("name", &self.name)
            .field("max_wait", &self.max_wait)
            .finish_non_exhaustive()
    }
}

/// Waits until the topic has other partitions. That the broker is away is for the readers to notice.
async fn watch(client: Arc<Client>, topic: String, known: Vec<u32>) -> SourceError {
    loop {
        sleep(WATCH).await;
        if partitions(&client, &topic).await.is_ok_and(|found| found != known) {
            return SourceError::new(format!("the topic {topic} has other partitions than before"));
        }
    }
}

/// How often it is looked whether there are more partitions.
const WATCH: Duration = Duration::from_secs(60);
