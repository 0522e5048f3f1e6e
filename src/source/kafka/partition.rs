//! A partition of a topic.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use rskafka::chrono::{DateTime, Utc};
use rskafka::client::Client;
use rskafka::client::partition::{OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::record::RecordAndOffset;

use crate::model::timestamp::Timestamp;
use crate::source::error::SourceError;
use crate::source::kafka::connection::{PATIENCE, within};

/// A partition of a topic, whose leader answers in time or not at all.
#[derive(Debug)]
pub(super) struct Partition {
    client: PartitionClient,
}

impl Partition {
    pub(super) async fn of(client: &Client, topic: &str, number: u32) -> Result<Self, SourceError> {
        let failed = || SourceError::new(format!("cannot reach partition {number} of the topic {topic}"));
        let number = i32::try_from(number).map_err(|cause| failed().because(cause))?;
        // A topic that is not there is told at once.
        let connected = client.partition_client(topic, number, UnknownTopicHandling::Error);
        match within(PATIENCE, connected).await {
            Ok(client) => Ok(Self { client }),
            Err(cause) => Err(failed().because(cause)),
        }
    }

    /// Where the oldest record is.
    pub(super) async fn earliest(&self) -> Result<i64, SourceError> {
        self.offset(OffsetAt::Earliest).await
    }

    /// Where the next record will be.
    pub(super) async fn end(&self) -> Result<i64, SourceError> {
        let latest = self.offset(OffsetAt::Latest).await?;
        // For some servers that is within the newest batch; what comes with records is right everywhere.
        let (_, end) = self.fetch(latest, 0..SOME, SHORTLY).await?;
        Ok(end.max(latest))
    }

    /// Where the first record of this time or later is; `None` if there is none.
    pub(super) async fn at(&self, time: Timestamp) -> Result<Option<i64>, SourceError> {
        let millis = i64::try_from(time.as_unix_millis()).ok();
        let time = millis.and_then(DateTime::from_timestamp_millis);
        let offset = self
            .offset(OffsetAt::Timestamp(time.unwrap_or(DateTime::<Utc>::MAX_UTC)))
            .await?;
        Ok(Some(offset).filter(|offset| *offset >= 0))
    }

    async fn offset(&self, at: OffsetAt) -> Result<i64, SourceError> {
        let asked = within(PATIENCE, self.client.get_offset(at)).await;
        asked.map_err(|cause| self.failed("cannot ask for offsets of").because(cause))
    }

    /// The record at an offset, or the next one after it. It has to be there.
    pub(super) async fn record(&self, offset: i64) -> Result<Option<RecordAndOffset>, SourceError> {
        let (records, _) = self.fetch(offset, 1..SOME, SHORTLY).await?;
        Ok(records.into_iter().next())
    }

    /// So many bytes of records from an offset on, and the high watermark: where the next one will be. The broker waits for
    /// them.
    pub(super) async fn fetch(
        &self,
        from: i64,
        bytes: Range<i32>,
        wait: Duration,
    ) -> Result<(Vec<RecordAndOffset>, i64), SourceError> {
        let millis = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        let asked = self.client.fetch_records(from, bytes, millis);
        let fetched = within(wait.saturating_add(PATIENCE), asked).await;
        fetched.map_err(|cause| self.failed("cannot read").because(cause))
    }

    /// What failed, and where.
    pub(super) fn failed(&self, attempt: &str) -> SourceError {
        let (topic, number) = (self.client.topic(), self.client.partition());
        SourceError::new(format!("{attempt} partition {number} of the topic {topic}"))
    }
}

/// The numbers of a topic's partitions, in order.
pub(super) async fn partitions(client: &Arc<Client>, topic: &str) -> Result<Vec<u32>, SourceError> {
    let failed = || SourceError::new(format!("cannot look up the topic {topic}"));
    let topics = within(PATIENCE, client.list_topics()).await;
    let topics = topics.map_err(|cause| failed().because(cause))?;
    let found = topics.into_iter().find(|found| found.name == topic);
    let found = found.ok_or_else(|| failed().because("there is no such topic"))?;
    Ok(found
        .partitions
        .into_iter()
        .filter_map(|number| u32::try_from(number).ok())
        .collect())
}

/// Brokers send the first batch whole, however long it is.
const SOME: i32 = 64 * 1024;

/// Long enough for what is there. Not every server has an answer for who does not wait at all.
const SHORTLY: Duration = Duration::from_millis(20);
