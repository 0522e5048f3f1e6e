//! A topic of one partition, as an issuer writes it and reads it back.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};

use crate::model::timestamp::Timestamp;
use crate::source::error::SourceError;
use crate::source::kafka::cluster::{Cluster, TopicView};
use crate::source::kafka::config::KafkaConfig;
use crate::source::kafka::partition::Partition;
use crate::source::kafka::wire::{CreateTopic, DescribeTopic, ErrorCode, NewRecord};

/// A topic of one partition, and a connection to its leader.
pub(crate) struct TopicLog {
    partition: Partition,
    /// How many replicas are in sync.
    pub(crate) in_sync: usize,
    pub(crate) partitions: usize,
    /// Settings by their names; `None` if the client may not look at them.
    pub(crate) settings: Option<Vec<(String, String)>>,
}

/// How a topic is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewTopic<'t> {
    pub(crate) replicas: i16,
    pub(crate) settings: &'t [(&'t str, &'t str)],
}

impl TopicLog {
    /// Connects to a topic; returns `None` if there is none.
    pub(crate) async fn open(config: &KafkaConfig, topic: &str, names: &[&str]) -> Result<Option<Self>, SourceError> {
        let cluster = Cluster::new(config.clone(), topic);
        match cluster.look_up().await {
            Ok(view) => Self::at(&cluster, &view, names).await.map(Some),
            Err(error) if code(&error) == Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a topic, and connects to it.
    pub(crate) async fn make(
        config: &KafkaConfig,
        topic: &str,
        new: NewTopic<'_>,
        names: &[&str],
    ) -> Result<Self, SourceError> {
        let cluster = Cluster::new(config.clone(), topic);
        let mut broker = cluster.any_broker().await?;
        let request = CreateTopic {
            topic,
            replicas: new.replicas,
            settings: new.settings,
            timeout_ms: TIMEOUT_MS,
        };
        match broker.call(&request).await? {
            ErrorCode::NONE | ErrorCode::TOPIC_ALREADY_EXISTS => {}
            code => return Err(SourceError::new(format!("cannot make the topic {topic}")).because(code)),
        }
        // Not every broker knows of it at once.
        let deadline = Instant::now() + KNOWN_WITHIN;
        loop {
            let opened = Self::open(config, topic, names).await;
            match opened {
                Ok(Some(log)) => return Ok(log),
                Err(error) if Instant::now() > deadline => return Err(error),
                _ => sleep(PAUSE).await,
            }
        }
    }

    /// Returns whether there are fewer brokers than replicas asked for.
    pub(crate) fn lacks_brokers(error: &SourceError) -> bool {
        code(error) == Some(ErrorCode::INVALID_REPLICATION_FACTOR)
    }

    async fn at(cluster: &Cluster, view: &TopicView, names: &[&str]) -> Result<Self, SourceError> {
        let missing = || SourceError::new("the topic has no partition 0");
        let named = view.partition(FIRST).ok_or_else(missing)?;
        let partition = Partition::at(cluster, view.id, named).await?;
        let mut broker = cluster.connect(named.leader).await?;
        let request = DescribeTopic {
            topic: &cluster.topic,
            names,
        };
        let settings = match broker.call(&request).await {
            Ok((ErrorCode::NONE, settings)) => Some(settings),
            _ => None,
        };
        Ok(Self {
            partition,
            in_sync: named.in_sync.len(),
            partitions: view.partitions.len(),
            settings,
        })
    }

    /// Publishes messages in their order, and returns where the last one is, once all replicas that are in sync have it.
    pub(crate) async fn append(&mut self, messages: &[&[u8]]) -> Result<i64, SourceError> {
        let time = i64::try_from(Timestamp::now().as_unix_millis()).unwrap_or_default();
        let record = |value| NewRecord {
            time,
            key: None,
            value,
            header: None,
        };
        let records: Vec<_> = messages.iter().copied().map(record).collect();
        let produced = self.partition.produce(NewRecord::batch(&records), TIMEOUT_MS).await?;
        match produced.code.ok() {
            Ok(()) => Ok(produced.offset + records.len() as i64 - 1),
            Err(code) => Err(self.partition.failed("cannot publish to").because(code)),
        }
    }

    /// Returns where it begins, and where it ends for whoever reads it.
    pub(crate) async fn extent(&mut self) -> Result<(i64, i64), SourceError> {
        let extent = self.partition.extent().await?;
        Ok((extent.earliest, extent.stable))
    }

    /// Returns the messages from one offset on, before another one.
    pub(crate) async fn read(&mut self, from: i64, end: i64) -> Result<Vec<(i64, Bytes)>, SourceError> {
        let (mut next, mut found) = (from, Vec::new());
        while next < end {
            let batches = self.partition.batches(next, SOME_BYTES).await?;
            let Some(last) = batches.last().map(|batch| batch.last) else {
                break;
            };
            for batch in batches.iter().filter(|batch| !batch.is_control) {
                let records = batch.records()?;
                let wanted = records
                    .into_iter()
                    .filter(|record| (next..end).contains(&record.offset));
                found.extend(wanted.filter_map(|record| Some((record.offset, record.value?))));
            }
            next = last + 1;
        }
        Ok(found)
    }
}

/// What a broker said, if that is why something failed.
fn code(error: &SourceError) -> Option<ErrorCode> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(code) = error.downcast_ref::<ErrorCode>() {
            return Some(*code);
        }
        cause = error.source();
    }
    None
}

/// The partition that messages go to.
const FIRST: u32 = 0;

/// How long the leader may wait for its followers.
const TIMEOUT_MS: i32 = 1_500;
const KNOWN_WITHIN: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);
const SOME_BYTES: i32 = 1 << 20;
