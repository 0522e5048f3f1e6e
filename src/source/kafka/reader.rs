//! Reads a partition.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep_until};

use crate::format::binary_mode::structured;
use crate::source::error::SourceError;
use crate::source::event_source::Continuity;
use crate::source::kafka::committed::CommittedBatches;
use crate::source::kafka::continuity::{
    ANOTHER, BELIEVED_AFTER, Beginning, KnownRecords, RecordPrint, is_same, out_of_range, print_of, print_of_unreadable,
};
use crate::source::kafka::leader::LeaderReader;
use crate::source::kafka::leadership::Leadership;
use crate::source::kafka::partition::{Partition, ReadFrom};
use crate::source::kafka::partition_end::PartitionEnd;
use crate::source::kafka::wire::{ErrorCode, FetchedPartition, KafkaRecord, RecordBatch};
use crate::source::log::{Batch, LogDeadLetters, LogDelivery, ReadBatches};
use crate::source::position::{Position, Start};

/// A partition that is being read.
pub(super) struct PartitionReader {
    leader: LeaderReader,
    leadership: Leadership,
    from: ReadFrom,
    known: KnownRecords,
    /// How many bytes the batch had that was read last.
    last_length: usize,
    /// When the log was looked at; not yet, since the leader was found.
    checked: Option<Instant>,
    end: PartitionEnd,
    /// Where the partition ended when it was opened.
    end_at_opening: i64,
    /// Up to where a list makes up for records that are missing.
    covered: i64,
    dead_letters: Option<Arc<dyn LogDeadLetters>>,
}

/// A partition that was opened, and whether it has everything.
pub(super) type OpenedPartition = (PartitionReader, Continuity);

impl PartitionReader {
    /// Finds where reading begins. `covered` says up to where a list made up for records that are missing.
    pub(super) async fn open(
        mut partition: Partition,
        leadership: Leadership,
        start: &Start,
        max_wait: Duration,
        covered: i64,
        dead_letters: Option<Arc<dyn LogDeadLetters>>,
    ) -> Result<OpenedPartition, SourceError> {
        let begins = Beginning::find(&mut partition, start).await?;
        let reader = Self {
            leader: LeaderReader::new(partition, leadership.clone(), max_wait),
            leadership,
            from: ReadFrom {
                offset: begins.next,
                last_epoch: -1,
            },
            known: begins.known,
            last_length: 0,
            checked: Some(Instant::now()),
            end: PartitionEnd::new(begins.extent.end),
            end_at_opening: begins.extent.end,
            covered,
            dead_letters,
        };
        Ok((reader, begins.continuity))
    }

    pub(super) const fn number(&self) -> u32 {
        self.leader.partition.number
    }

    /// Where reading goes on.
    pub(super) fn place(&self) -> Position {
        self.position(self.from.offset)
    }

    /// Notes that a list makes up for whatever is missing of what is there now. Returns up to where that is.
    pub(super) fn cover(&mut self) -> i64 {
        self.covered = self.end_at_opening;
        self.covered
    }

    fn position(&self, offset: i64) -> Position {
        Position {
            partition: self.number(),
            offset: u128::try_from(offset).unwrap_or_default(),
        }
    }

    /// Checks, after an answer that says where the log begins, that it is still the same.
    async fn check(&mut self, log_start: i64) -> Result<(), SourceError> {
        if self.from.offset < log_start {
            return Err(self.loss("was trimmed"));
        }
        match is_same(&mut self.leader.partition, &mut self.known, log_start).await? {
            Some(true) => self.checked = Some(Instant::now()),
            Some(false) => return Err(self.loss(ANOTHER)),
            None => {}
        }
        Ok(())
    }

    /// Whether it is time to check, which takes reading a batch again.
    fn is_to_be_checked(&self) -> bool {
        let is_cheap = self.last_length <= CHEAP && !self.leader.is_held_up();
        self.checked.is_none_or(|at| at.elapsed() >= CHECK && is_cheap)
    }

    /// Takes in what the leader has, as it was asked at that time.
    async fn take_in(&mut self, answer: FetchedPartition, asked: Instant) -> Result<Batch, SourceError> {
        match answer.code {
            ErrorCode::NONE => {}
            ErrorCode::OFFSET_OUT_OF_RANGE => {
                let reason = out_of_range(&mut self.leader.partition, self.from.offset).await?;
                return Err(self.loss(reason));
            }
            code => {
                self.leader.is_refused(code).await?;
                return Ok(self.nothing_new());
            }
        }
        self.leader.is_settled();
        if let Some(offset) = answer.diverges_at {
            return Err(self.loss(&format!("is another log from offset {offset} on than was read")));
        }
        let before = self.from.offset;
        if self.is_to_be_checked() {
            self.check(answer.log_start).await?;
        }
        let deliveries = self.deliveries(&answer)?;
        self.end.told(answer.high_watermark, asked, self.from.offset);
        if self.end.behind_for() > BELIEVED_AFTER {
            return Err(self.loss("ends before what was read"));
        }
        if before == self.from.offset {
            // Some servers answer at once, and all of them may while a transaction is open.
            sleep_until(asked + self.leader.max_wait).await;
        }
        Ok(Batch {
            deliveries,
            ..self.nothing_new()
        })
    }

    /// What is known if nothing came.
    fn nothing_new(&self) -> Batch {
        let end = self.end.to_reach().filter(|_| self.is_confirmed());
        Batch {
            partition: self.number(),
            deliveries: Vec::new(),
            read_to: u128::try_from(self.from.offset).ok(),
            end: end.and_then(|end| u128::try_from(end).ok()),
            lag: Some(self.end.lag(self.from.offset)),
        }
    }

    fn is_confirmed(&self) -> bool {
        self.leadership.is_confirmed(&self.leader.partition)
    }

    /// The records that came and count, from the offset on that is read next.
    fn deliveries(&mut self, answer: &FetchedPartition) -> Result<Vec<LogDelivery>, SourceError> {
        let first = self.from.offset;
        let mut committed = CommittedBatches::new(answer.aborted.clone());
        let mut deliveries = Vec::new();
        for batch in RecordBatch::all(answer.records.clone()) {
            if batch.last < self.from.offset {
                continue;
            }
            let is_missing = batch.base > self.from.offset || batch.has_holes();
            if is_missing && batch.last >= self.covered {
                return Err(self.loss("lost records, by compaction or otherwise"));
            }
            self.from = ReadFrom {
                // One that is damaged may say anything of where it ends.
                offset: (batch.last + 1).min(answer.high_watermark.max(self.from.offset + 1)),
                last_epoch: batch.epoch,
            };
            let Some(batch) = committed.sift(batch) else { continue };
            self.last_length = batch.raw.len();
            match batch.records() {
                Ok(records) => {
                    let wanted = records.into_iter().filter(|record| record.offset >= first);
                    deliveries.extend(wanted.map(|record| {
                        let print = print_of(&record);
                        self.delivery(value_of(record), print, answer.high_watermark)
                    }));
                }
                Err(why) => {
                    let print = print_of_unreadable(&batch);
                    let delivery = self.delivery(batch.raw, print, answer.high_watermark);
                    deliveries.push(delivery.with_defect(&why));
                }
            }
        }
        Ok(deliveries)
    }

    fn delivery(&mut self, payload: Bytes, print: RecordPrint, end: i64) -> LogDelivery {
        let landmark = self.known.read(print, self.leader.partition.topic_id);
        LogDelivery::new(payload, self.position(print.0))
            .with_landmark(landmark)
            .with_lag(u64::try_from(end - print.0 - 1).ok())
            .with_dead_letters(self.dead_letters.clone())
    }

    fn loss(&self, reason: &str) -> SourceError {
        self.failed().because(reason).as_loss()
    }

    fn failed(&self) -> SourceError {
        self.leader.partition.failed("cannot go on reading")
    }
}

impl ReadBatches for PartitionReader {
    async fn read(&mut self) -> Result<Batch, SourceError> {
        let answer = self.leader.answer(self.from).await?;
        if self.leader.has_moved() {
            self.checked = None;
        }
        match answer {
            Some((answer, asked)) => self.take_in(answer, asked).await,
            None => Ok(self.nothing_new()),
        }
    }
}

/// What was published; an event in CloudEvents' binary mode
/// ([Kafka, section 3.2](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md#32-binary-content-mode))
/// as decoders read it.
fn value_of(record: KafkaRecord) -> Bytes {
    let value = record.value.unwrap_or_default();
    let is_content_type = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("content-type");
    let content_type = record
        .headers
        .iter()
        .find(is_content_type)
        .map(|(_, value)| value.clone());
    let attribute = |(name, value): (String, String)| Some((name.strip_prefix("ce_")?.to_owned(), value));
    let attributes = record.headers.into_iter().filter_map(attribute);
    structured(attributes, content_type.as_deref(), &value).map_or(value, Bytes::from)
}

/// Batches up to this length are read again in passing. Where longer ones are published, the leader's own word has to do.
const CHEAP: usize = 64 * 1024;

/// How often it is checked that the log is still the same.
const CHECK: Duration = Duration::from_secs(10);
