//! Reads a partition.

use std::sync::Arc;
use std::time::Duration;

use rskafka::client::Client;
use tokio::time::{Instant, sleep_until};

use crate::source::error::SourceError;
use crate::source::event_source::Continuity;
use crate::source::kafka::continuity::{Beginning, KnownRecords, lost};
use crate::source::kafka::partition::Partition;
use crate::source::log::{Batch, LogDeadLetters, LogDelivery, ReadBatches};
use crate::source::position::{Position, Start};

/// A partition that is being read.
pub(super) struct PartitionReader {
    number: u32,
    partition: Partition,
    next: i64,
    known: KnownRecords,
    checked: Instant,
    max_wait: Duration,
    dead_letters: Option<Arc<dyn LogDeadLetters>>,
}

/// A partition that was opened: its reader, whether it has everything, and from where to where it is to be read.
pub(super) type OpenedPartition = (PartitionReader, Continuity, [Position; 2]);

impl PartitionReader {
    pub(super) async fn open(
        client: &Client,
        topic: &str,
        number: u32,
        start: &Start,
        max_wait: Duration,
        dead_letters: Option<Arc<dyn LogDeadLetters>>,
    ) -> Result<OpenedPartition, SourceError> {
        let partition = Partition::of(client, topic, number).await?;
        // First, so that whatever comes meanwhile is behind it.
        let end = partition.end().await?;
        let earliest = partition.earliest().await?;
        let begins = Beginning::find(&partition, number, start, earliest, end).await?;
        let reader = Self {
            number,
            partition,
            next: begins.next,
            known: begins.known,
            checked: Instant::now(),
            max_wait,
            dead_letters,
        };
        let extent = [begins.next, end].map(|offset| reader.position(offset));
        Ok((reader, begins.continuity, extent))
    }

    fn position(&self, offset: i64) -> Position {
        Position {
            partition: self.number,
            offset: u128::try_from(offset).unwrap_or_default(),
        }
    }

    /// Checks that nothing was dropped before it was read, and that the log is still the same.
    async fn check(&mut self) -> Result<(), SourceError> {
        let end = self.partition.end().await?;
        let earliest = self.partition.earliest().await?;
        match lost(&self.partition, self.next, &mut self.known, earliest, end).await? {
            Some(reason) => Err(self.failed().because(reason).as_loss()),
            None => {
                self.checked = Instant::now();
                Ok(())
            }
        }
    }

    fn failed(&self) -> SourceError {
        self.partition.failed("cannot go on reading")
    }
}

impl ReadBatches for PartitionReader {
    async fn read(&mut self) -> Result<Batch, SourceError> {
        let asked = Instant::now();
        let (records, end) = self.partition.fetch(self.next, 1..BYTES, self.max_wait).await?;
        // Not every server refuses to read from behind the end.
        if end < self.next {
            return Err(self.failed().because("the log ends before what was read"));
        }
        let is_jump = records.first().is_some_and(|first| first.offset > self.next);
        if is_jump || self.checked.elapsed() >= CHECK {
            self.check().await?;
        }
        // What lies before the end and does not come is no record.
        let read_to = records
            .is_empty()
            .then_some(end)
            .and_then(|end| u128::try_from(end).ok());
        match records.last() {
            Some(last) => self.next = last.offset + 1,
            // Some servers answer at once, and all of them do while a transaction is open or if its end is all there is.
            None => sleep_until(asked + self.max_wait).await,
        }
        let deliveries = records.into_iter().map(|read| {
            let (landmark, position) = (self.known.read(&read), self.position(read.offset));
            LogDelivery::new(read.record.value.unwrap_or_default(), position)
                .with_landmark(landmark)
                .with_lag(u64::try_from(end - read.offset - 1).ok())
                .with_dead_letters(self.dead_letters.clone())
        });
        Ok(Batch {
            deliveries: deliveries.collect(),
            partition: self.number,
            read_to,
            end: u128::try_from(end).ok(),
            lag: None,
        })
    }
}

/// How much is asked for at once.
const BYTES: i32 = 1024 * 1024;

/// How often it is checked that the log is still the same.
const CHECK: Duration = Duration::from_secs(10);
