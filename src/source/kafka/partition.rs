//! A partition of a topic, at its leader.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::model::timestamp::Timestamp;
use crate::source::error::SourceError;
use crate::source::kafka::broker::{Broker, CONNECT_PATIENCE};
use crate::source::kafka::cluster::Cluster;
use crate::source::kafka::wire::{
    EARLIEST, ErrorCode, Fetch, FetchAnswer, FetchedPartition, KafkaUuid, LAST_STABLE, ListOffsets, PATIENCE,
    PartitionMetadata, Received, RecordBatch, Sent,
};
#[cfg(feature = "issuer")]
use crate::source::kafka::wire::{Produce, Produced};

/// A partition of a topic, and a connection to its leader.
pub(super) struct Partition {
    pub(super) cluster: Cluster,
    pub(super) topic_id: KafkaUuid,
    pub(super) number: u32,
    pub(super) leader: i32,
    pub(super) epoch: i32,
    broker: Broker,
}

/// From where on a partition is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadFrom {
    pub(super) offset: i64,
    /// The epoch of the record before that; negative if it is not known.
    pub(super) last_epoch: i32,
}

/// What the leader says of a partition's records.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartitionExtent {
    /// Where the oldest one is.
    pub(super) earliest: i64,
    /// Where what is held back begins, or the next one if nothing is.
    pub(super) stable: i64,
    /// Where the next one will be.
    pub(super) end: i64,
}

impl Partition {
    /// Connects to the leader that is named there.
    pub(super) async fn at(
        cluster: &Cluster,
        topic_id: KafkaUuid,
        named: &PartitionMetadata,
    ) -> Result<Self, SourceError> {
        let number = named.number;
        let failed = || {
            SourceError::new(format!(
                "cannot reach partition {number} of the topic {}",
                cluster.topic
            ))
        };
        if named.leader < 0 {
            return Err(failed().because(match named.code.ok() {
                Ok(()) => SourceError::new("it has no leader"),
                Err(code) => SourceError::new("it has no leader").because(code),
            }));
        }
        let connected = timeout(CONNECT_PATIENCE, cluster.connect(named.leader)).await;
        let connected = connected
            .map_err(|_late| failed().because(format!("its leader does not answer within {CONNECT_PATIENCE:?}")))?;
        Ok(Self {
            broker: connected.map_err(|cause| failed().because(cause))?,
            cluster: cluster.clone(),
            topic_id,
            number,
            leader: named.leader,
            epoch: named.epoch,
        })
    }

    /// Asks where it begins and where it ends.
    pub(super) async fn extent(&mut self) -> Result<PartitionExtent, SourceError> {
        // What comes after this one is behind the end that is found.
        let stable = self.offset(LAST_STABLE).await?;
        let earliest = self.offset(EARLIEST).await?;
        // For some servers that is within the newest batch; what comes with records is right everywhere.
        let fetched = self.peek(stable).await?;
        fetched
            .code
            .ok()
            .map_err(|code| self.failed("cannot read").because(code))?;
        Ok(PartitionExtent {
            earliest: earliest.max(fetched.log_start),
            stable,
            end: fetched.high_watermark.max(stable),
        })
    }

    /// Where the first record of this time or later is that is committed; `None` if there is none.
    pub(super) async fn first_since(&mut self, time: Timestamp) -> Result<Option<i64>, SourceError> {
        let time = i64::try_from(time.as_unix_millis()).unwrap_or(i64::MAX);
        Ok(Some(self.offset(time).await?).filter(|offset| *offset >= 0))
    }

    /// The batch in which an offset lies, if it is there, and where what may be given out ends.
    pub(super) async fn batch(&mut self, offset: i64) -> Result<(Option<RecordBatch>, i64), SourceError> {
        let fetched = self.peek(offset).await?;
        fetched
            .code
            .ok()
            .map_err(|code| self.failed("cannot read").because(code))?;
        let mut batches = RecordBatch::all(fetched.records);
        Ok((batches.find(|batch| batch.last >= offset), fetched.high_watermark))
    }

    /// Whether the leader refuses to read from an offset, since its log does not reach there.
    pub(super) async fn refuses(&mut self, offset: i64) -> Result<bool, SourceError> {
        Ok(self.peek(offset).await?.code == ErrorCode::OFFSET_OUT_OF_RANGE)
    }

    async fn offset(&mut self, time: i64) -> Result<i64, SourceError> {
        let request = ListOffsets {
            topic: &self.cluster.topic,
            partition: self.number,
            epoch: self.epoch,
            time,
        };
        let asked = self.broker.call(&request).await;
        let refused = |cause| failed(&self.cluster, self.number, "cannot ask for offsets of").because(cause);
        let (code, offset) = asked.map_err(refused)?;
        code.ok()
            .map_err(|code| self.failed("cannot ask for offsets of").because(code))?;
        Ok(offset)
    }

    /// Publishes a batch, and waits until all replicas that are in sync have it.
    #[cfg(feature = "issuer")]
    pub(super) async fn produce(&mut self, batch: bytes::Bytes, timeout_ms: i32) -> Result<Produced, SourceError> {
        let topic = self.cluster.topic.clone();
        let request = Produce {
            topic: &topic,
            partition: self.number,
            batch,
            timeout_ms,
        };
        let produced = self.broker.call(&request).await?;
        self.broker.throttle(produced.throttled_ms);
        Ok(produced)
    }

    /// Returns some batches from the one on in which an offset lies.
    #[cfg(feature = "issuer")]
    pub(super) async fn batches(&mut self, offset: i64, bytes: i32) -> Result<Vec<RecordBatch>, SourceError> {
        let fetched = self.fetch(offset, bytes).await?;
        fetched
            .code
            .ok()
            .map_err(|code| self.failed("cannot read").because(code))?;
        Ok(RecordBatch::all(fetched.records).collect())
    }

    /// What the leader says of an offset.
    async fn peek(&mut self, offset: i64) -> Result<FetchedPartition, SourceError> {
        self.fetch(offset, ONE_BATCH).await
    }

    async fn fetch(&mut self, offset: i64, bytes: i32) -> Result<FetchedPartition, SourceError> {
        loop {
            let from = ReadFrom { offset, last_epoch: -1 };
            let sent = self.send_fetch(from, bytes, SHORTLY).await?;
            let answer = loop {
                match self.receive(sent, Instant::now() + SHORTLY + PATIENCE).await? {
                    Received::Answer(answer) => break answer,
                    Received::Part => {}
                    Received::Nothing => {
                        return Err(self
                            .failed("cannot read")
                            .because(format!("no answer within {PATIENCE:?}")));
                    }
                }
            };
            self.broker.throttle(answer.throttled_ms);
            match answer.partition {
                Some(fetched) => return Ok(fetched),
                // A quota is used up.
                None => self.broker.is_unthrottled().await,
            }
        }
    }

    /// Asks for some records, and where the partition ends. The broker waits for the first one.
    pub(super) async fn send_fetch(&mut self, from: ReadFrom, bytes: i32, wait: Duration) -> Result<Sent, SourceError> {
        let request = Fetch {
            topic: &self.cluster.topic,
            topic_id: self.topic_id,
            partition: self.number,
            epoch: self.epoch,
            from: from.offset,
            last_epoch: from.last_epoch,
            max_bytes: bytes,
            max_wait_ms: i32::try_from(wait.as_millis()).unwrap_or(i32::MAX),
        };
        let sent = self.broker.send(&request).await;
        sent.map_err(|cause| failed(&self.cluster, self.number, "cannot read").because(cause))
    }

    /// Waits for what was asked for, until then at most.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing of the answer.
    pub(super) async fn receive(&mut self, sent: Sent, until: Instant) -> Result<Received<FetchAnswer>, SourceError> {
        let received = self.broker.receive::<Fetch<'_>>(sent, until).await;
        received.map_err(|cause| failed(&self.cluster, self.number, "cannot read").because(cause))
    }

    /// What failed, and where.
    pub(super) fn failed(&self, attempt: &str) -> SourceError {
        failed(&self.cluster, self.number, attempt)
    }
}

fn failed(cluster: &Cluster, number: u32, attempt: &str) -> SourceError {
    SourceError::new(format!("{attempt} partition {number} of the topic {}", cluster.topic))
}

/// Brokers send the first batch whole, however long it is.
const ONE_BATCH: i32 = 1;

/// Long enough for what is there. Not every server has an answer for who does not wait at all.
const SHORTLY: Duration = Duration::from_millis(5);
