//! Kafka.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};

use crate::issuer::publisher::{Confirmed, OutgoingMessage, Promise, PublishError, Publisher, is_from};
use crate::source::SourceError;
use crate::source::kafka::{KafkaConfig, NewTopic, TopicLog};

/// Publishes to the first partition of a topic of Kafka, with `acks=all`. Several issuers may share a topic.
///
/// Kafka takes no condition on what is last in a log, so that the log is read back: after each publication, and with each heartbeat.
///
/// The issuer has to be allowed to describe, read and write the topic, to describe its configuration, and to create it if it is to make it.
pub struct KafkaPublisher {
    config: KafkaConfig,
    topic: String,
    name: String,
    replicas: i16,
    retention: Duration,
    log: Option<TopicLog>,
    /// Where the newest message of the issuer is that was read back.
    newest: Option<i64>,
    /// Where the last one is that was published.
    published: Option<i64>,
}

impl KafkaPublisher {
    /// Returns a publisher to a topic.
    #[must_use]
    pub fn new(config: KafkaConfig, topic: impl Into<String>) -> Self {
        let topic = topic.into();
        Self {
            config,
            name: format!("kafka:{topic}"),
            topic,
            replicas: DEFAULT_REPLICAS,
            retention: DEFAULT_RETENTION,
            log: None,
            newest: None,
            published: None,
        }
    }

    /// Sets how many replicas the topic is made with, if it is not there yet. Defaults to three, and to one if there are fewer brokers.
    #[must_use]
    pub const fn with_replicas(mut self, replicas: i16) -> Self {
        self.replicas = replicas;
        self
    }

    /// Sets for how long the topic keeps messages, if it is not there yet. Defaults to a week.
    #[must_use]
    pub const fn with_retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    async fn make(&self) -> Result<TopicLog, SourceError> {
        let retention = self.retention.as_millis().to_string();
        let make = async |replicas: i16| {
            let min_in_sync = if replicas > 1 { "2" } else { "1" };
            let settings = [
                ("cleanup.policy", "delete"),
                ("message.timestamp.type", "LogAppendTime"),
                ("min.insync.replicas", min_in_sync),
                ("retention.ms", &retention),
                ("unclean.leader.election.enable", "false"),
            ];
            let new = NewTopic {
                replicas,
                settings: &settings,
            };
            TopicLog::make(&self.config, &self.topic, new, SETTINGS).await
        };
        match make(self.replicas).await {
            Err(error) if TopicLog::lacks_brokers(&error) => make(1).await,
            made => made,
        }
    }

    fn failed(&self, error: SourceError) -> PublishError {
        PublishError::failed(self.name.clone()).because(error)
    }

    async fn read(&mut self, source: &str, most: usize) -> Result<Vec<(i64, Bytes)>, SourceError> {
        let missing = || SourceError::new("it was not connected");
        let log = self.log.as_mut().ok_or_else(missing)?;
        let deadline = Instant::now() + READABLE_WITHIN;
        let (earliest, end) = loop {
            let (earliest, end) = log.extent().await?;
            // What is confirmed may be given out a moment later.
            if self.published.is_none_or(|published| published < end) || Instant::now() > deadline {
                break (earliest, end);
            }
            sleep(PAUSE).await;
        };
        // What was just published is behind it.
        let is_behind = self.published.is_some_and(|published| published < end);
        let from = match self
            .newest
            .filter(|newest| is_behind && (earliest..end).contains(newest))
        {
            Some(newest) => newest,
            None => earliest.max(end - i64::try_from(most.max(FEW)).unwrap_or(i64::MAX)),
        };
        let mut found = log.read(from, end).await?;
        found.retain(|(_, message)| is_from(source, message));
        Ok(found.split_off(found.len().saturating_sub(most)))
    }
}

impl Publisher for KafkaPublisher {
    fn name(&self) -> &str {
        &self.name
    }

    async fn ensure(&mut self) -> Result<Promise, PublishError> {
        (self.log, self.newest, self.published) = (None, None, None);
        let opened = TopicLog::open(&self.config, &self.topic, SETTINGS).await;
        let log = match opened {
            Ok(None) => self.make().await,
            Ok(Some(log)) => Ok(log),
            Err(error) => Err(error),
        };
        let log = log.map_err(|error| self.failed(error))?;
        let promise = promise(&log);
        self.log = Some(log);
        Ok(promise)
    }

    async fn read_back(&mut self, source: &str, most: usize) -> Result<Vec<Bytes>, PublishError> {
        let found = self.read(source, most).await;
        let found = found.map_err(|error| self.failed(error))?;
        (self.newest, self.published) = (found.last().map(|(offset, _)| *offset), None);
        Ok(found.into_iter().map(|(_, message)| message).collect())
    }

    async fn publish(&mut self, _source: &str, messages: &[OutgoingMessage]) -> Result<Confirmed, PublishError> {
        let payloads: Vec<_> = messages.iter().map(|message| &message.payload[..]).collect();
        let Some(log) = &mut self.log else {
            return Err(PublishError::failed(format!("{}: it was not connected", self.name)));
        };
        let appended = log.append(&payloads).await;
        self.published = Some(appended.map_err(|error| self.failed(error))?);
        Ok(Confirmed::default())
    }
}

impl fmt::Debug for KafkaPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaPublisher")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What a topic as it is promises.
fn promise(log: &TopicLog) -> Promise {
    let mut promise = Promise::of_copies(u32::try_from(log.in_sync).unwrap_or(u32::MAX));
    if log.in_sync < 2 {
        let words = format!("{} replica is in sync: what it loses is lost; have three", log.in_sync);
        promise.warn("replication.factor", words);
    }
    let Some(settings) = &log.settings else {
        promise.warn(
            "min.insync.replicas",
            "cannot be looked at: allow this client to describe the topic's configuration",
        );
        return promise;
    };
    let setting = |name: &str| {
        settings
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| &**value)
    };
    if let Some(least @ ("0" | "1")) = setting("min.insync.replicas") {
        let words = format!("is {least}: a leader alone confirms, and what only it has is lost with it; set 2");
        promise.warn("min.insync.replicas", words);
    }
    if setting("unclean.leader.election.enable") == Some("true") {
        promise.warn(
            "unclean.leader.election.enable",
            "is true: a replica that lacks messages may become the leader",
        );
    }
    if setting("cleanup.policy").is_some_and(|policy| policy.contains("compact")) {
        promise.warn(
            "cleanup.policy",
            "has compact: messages are taken from the midst; set delete",
        );
    }
    if setting("message.timestamp.type") == Some("CreateTime") {
        promise.warn(
            "message.timestamp.type",
            "is CreateTime: retention goes by the issuer's clock; set LogAppendTime",
        );
    }
    if log.partitions > 1 {
        promise.warn(
            "partitions",
            format!("are {}: one is enough, and the others stay empty", log.partitions),
        );
    }
    promise
}

/// What is looked at.
const SETTINGS: &[&str] = &[
    "cleanup.policy",
    "message.timestamp.type",
    "min.insync.replicas",
    "unclean.leader.election.enable",
];

const DEFAULT_REPLICAS: i16 = 3;
const DEFAULT_RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const READABLE_WITHIN: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(5);

/// How many messages are looked at for the newest of the issuer.
const FEW: usize = 100;
