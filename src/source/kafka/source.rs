//! A topic as one replica reads it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;

use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, EventSource, Signal};
use crate::source::kafka::cluster::{Cluster, TopicView};
use crate::source::kafka::config::KafkaConfig;
use crate::source::kafka::dead_letters::KafkaDeadLetters;
use crate::source::kafka::leadership::Leadership;
use crate::source::kafka::partition::Partition;
use crate::source::kafka::reader::{OpenedPartition, PartitionReader};
use crate::source::kafka::wire::KafkaUuid;
use crate::source::log::{CaughtUp, LogDeadLetters, LogDelivery, ReadAhead};
use crate::source::position::{Position, Start};

/// A topic of Kafka as one replica reads it. See the [module](super) for what the topic should be like.
pub struct KafkaSource {
    cluster: Cluster,
    name: String,
    max_wait: Duration,
    dead_letters: Option<Arc<dyn LogDeadLetters>>,
    known: KnownTopic,
    /// Whether records were lost, of which the next opening has to tell.
    is_lost: bool,
    reading: Option<ReadAhead>,
}

/// What is known of the topic from one opening to the next.
#[derive(Default)]
struct KnownTopic {
    id: KafkaUuid,
    leadership: Leadership,
    /// Up to where a list made up for records that are missing, by partitions.
    covered: BTreeMap<u32, i64>,
}

impl KafkaSource {
    /// Returns a source of the topic of that name, all its partitions. Nothing connects before it is opened.
    #[must_use]
    pub fn new(config: KafkaConfig, topic: impl Into<String>) -> Self {
        let topic = topic.into();
        Self {
            name: format!("kafka:{topic}"),
            cluster: Cluster::new(config, topic),
            max_wait: Self::DEFAULT_MAX_WAIT,
            dead_letters: None,
            known: KnownTopic::default(),
            is_lost: false,
            reading: None,
        }
    }

    /// Publishes dead letters to the first partition of this topic. By default they are not stored.
    ///
    /// Each replica publishes its own, with the same key, the feed's name and the message's position: a topic with
    /// `cleanup.policy=compact` keeps one of them. What is known beside the payload is in the header `json`.
    #[must_use]
    pub fn with_dead_letters(mut self, topic: impl Into<String>) -> Self {
        let cluster = Cluster::new(self.cluster.config.clone(), topic.into());
        self.dead_letters = Some(Arc::new(KafkaDeadLetters::new(cluster)));
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

    /// Keeps what is known of the topic, unless it is another one by now. Where topics have no identifiers, it may be.
    fn learn(&mut self, view: &TopicView) {
        let is_same = self.known.id == view.id && view.id != KafkaUuid::default();
        if !is_same {
            self.known.leadership = Leadership::default();
        }
        if self.known.id != view.id {
            self.known.covered.clear();
            self.known.id = view.id;
        }
        self.known.leadership.learn(view);
    }

    async fn open_partition(&self, number: u32, start: &Start) -> Result<OpenedPartition, SourceError> {
        let KnownTopic {
            id,
            leadership,
            covered,
        } = &self.known;
        let named = leadership.newest(number);
        let named = named.ok_or_else(|| SourceError::new(format!("nobody knows of partition {number}")))?;
        let partition = Partition::at(&self.cluster, *id, &named).await?;
        let covered = covered.get(&number).copied().unwrap_or_default();
        let dead_letters = self.dead_letters.clone();
        PartitionReader::open(
            partition,
            leadership.clone(),
            start,
            self.max_wait,
            covered,
            dead_letters,
        )
        .await
    }
}

impl EventSource for KafkaSource {
    type Delivery = LogDelivery;

    fn name(&self) -> &str {
        &self.name
    }

    async fn open(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        self.reading = None;
        let view = self.cluster.look_up().await?;
        self.learn(&view);
        let numbers = view.numbers();
        let opened = try_join_all(numbers.iter().map(|number| self.open_partition(*number, start))).await?;
        let (mut readers, continuities): (Vec<_>, Vec<_>) = opened.into_iter().unzip();
        let is_gap = |continuity: &Continuity| *continuity != Continuity::Complete;
        let continuity = continuities.into_iter().find(is_gap).unwrap_or(Continuity::Complete);
        if std::mem::take(&mut self.is_lost) || is_gap(&continuity) {
            // The list that is fetched now says whatever records said that are missing by now.
            let covered = readers.iter_mut().map(|reader| (reader.number(), reader.cover()));
            self.known.covered = covered.collect();
        }
        let places: Vec<_> = readers.iter().map(PartitionReader::place).collect();
        let mut caught_up = CaughtUp::from(places.clone());
        // None is known before more than one broker says who leads.
        caught_up.ends(places.into_iter().map(|place| Position {
            offset: u128::MAX,
            ..place
        }));
        let watch = self.known.leadership.clone().watch(self.cluster.clone(), view);
        self.reading = Some(ReadAhead::begin(readers, watch, caught_up));
        Ok(continuity)
    }

    async fn next(&mut self) -> Result<Signal<LogDelivery>, SourceError> {
        let Some(reading) = &mut self.reading else {
            return Err(SourceError::new("the topic is not open"));
        };
        let next = reading.next().await;
        self.is_lost |= next.as_ref().is_err_and(SourceError::is_loss);
        next
    }

    async fn close(&mut self) {
        self.reading = None;
    }
}

impl fmt::Debug for KafkaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSource")
            .field("name", &self.name)
            .field("config", &self.cluster.config)
            .field("max_wait", &self.max_wait)
            .finish_non_exhaustive()
    }
}
