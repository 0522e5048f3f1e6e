//! Whether a partition still has what was read of it, and all that came since.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::model::timestamp::Timestamp;
use crate::source::error::SourceError;
use crate::source::event_source::Continuity;
use crate::source::kafka::partition::{Partition, PartitionExtent};
use crate::source::kafka::wire::{KafkaRecord, KafkaUuid, RecordBatch};
use crate::source::landmark::{Landmark, hash};
use crate::source::position::Start;

/// Two records that were read of a partition, and of which topic. A log that was made anew, or lost its end, and has grown since
/// has other records in their places.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KnownRecords {
    newest: Option<RecordPrint>,
    /// The one that was the newest when it was last looked whether they are there. While nobody looked, the newest may be
    /// another log's already.
    seen_again: Option<RecordPrint>,
    /// A hash of the topic's identifier.
    topic: u64,
}

/// A record's offset, and a hash of the rest.
pub(super) type RecordPrint = (i64, u64);

impl KnownRecords {
    /// Notes that a record of a topic was read. Returns by what to recognize the log from there on.
    pub(super) fn read(&mut self, newest: RecordPrint, topic: KafkaUuid) -> Landmark {
        self.newest = Some(newest);
        self.topic = hash(topic);
        let (offset, seen_again) = *self.seen_again.get_or_insert(newest);
        Landmark::new([
            newest.1,
            u64::try_from(offset).unwrap_or_default(),
            seen_again,
            self.topic,
        ])
    }

    /// Returns those that a landmark tells of.
    fn of((offset, landmark): (u128, Landmark)) -> Self {
        let [newest, other, seen_again, topic] = landmark.numbers();
        let at = |offset| i64::try_from(offset).unwrap_or(i64::MAX);
        Self {
            newest: Some((i64::try_from(offset).unwrap_or(i64::MAX), newest)),
            seen_again: Some((at(other), seen_again)),
            topic,
        }
    }

    /// Looks whether they are where they were; one that the log's beginning has come past is not missed.
    async fn look(&mut self, partition: &mut Partition, earliest: i64) -> Result<LogIs, SourceError> {
        if self.topic != hash(partition.topic_id) {
            return Ok(LogIs::Another);
        }
        for known @ (offset, _) in [self.seen_again, self.newest].into_iter().flatten() {
            if offset < earliest {
                continue;
            }
            match partition.batch(offset).await? {
                (Some(batch), _) if print_at(offset, &batch) == Some(known) => {}
                (None, end) if end <= offset => return Ok(LogIs::Hidden),
                _ => return Ok(LogIs::Another),
            }
        }
        self.seen_again = self.newest;
        Ok(LogIs::Same)
    }
}

/// What a log is, beside one that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LogIs {
    Same,
    Another,
    /// Its leader does not give out what was read: just elected, it does not know yet that it may.
    Hidden,
}

/// Where reading a partition begins.
pub(super) struct Beginning {
    pub(super) next: i64,
    pub(super) known: KnownRecords,
    pub(super) continuity: Continuity,
    pub(super) extent: PartitionExtent,
}

impl Beginning {
    /// Finds it.
    pub(super) async fn find(partition: &mut Partition, start: &Start) -> Result<Self, SourceError> {
        let number = partition.number;
        // First, so that whatever comes meanwhile is behind it.
        let mut extent = partition.extent().await?;
        let mut loss = None;
        let mut known = KnownRecords::default();
        if let Some(after) = start.after(number) {
            let next = i64::try_from(after).map_or(i64::MAX, |after| after.saturating_add(1));
            let deadline = Instant::now() + BELIEVED_AFTER;
            // Just elected, a leader may not know yet how far everybody has come. But it has what they have, and refuses to read
            // from beyond that.
            while extent.end < next && Instant::now() < deadline && !partition.refuses(next).await? {
                sleep(POLL).await;
                extent = partition.extent().await?;
            }
            loss = extent.lost(next);
            for landmark in start.landmarks(number) {
                known = KnownRecords::of(landmark);
                if loss.is_none() && known.look(partition, extent.earliest).await? != LogIs::Same {
                    loss = Some(ANOTHER);
                }
            }
            if loss.is_none() {
                return Ok(Self {
                    next,
                    known,
                    continuity: Continuity::Complete,
                    extent,
                });
            }
        }
        let first = Self::first(partition, start.time(), extent).await?;
        Ok(match loss {
            None => first,
            Some(reason) => Self {
                continuity: Continuity::Gap(format!("partition {number} {reason}")),
                ..first
            },
        })
    }

    /// Where reading begins the first time, and whether everything since then is there.
    async fn first(partition: &mut Partition, time: Timestamp, extent: PartitionExtent) -> Result<Self, SourceError> {
        let since = partition.first_since(time).await?;
        // Everything that is still to come is wanted, also if its time is older. A record that is held back is not found by its
        // time, and comes once it is given free.
        let next = since.unwrap_or(extent.stable).min(extent.stable).max(extent.earliest);
        let has_older = next > extent.earliest;
        let is_from_the_beginning = time == Timestamp::default() && extent.earliest == 0;
        Ok(Self {
            next,
            known: KnownRecords::default(),
            continuity: match has_older || is_from_the_beginning {
                true => Continuity::Complete,
                false => Continuity::Gap("the topic does not reach back far enough".to_owned()),
            },
            extent,
        })
    }
}

impl PartitionExtent {
    /// Why reading cannot go on from there without a gap.
    pub(super) const fn lost(&self, next: i64) -> Option<&'static str> {
        match next {
            _ if next < self.earliest => Some("was trimmed"),
            _ if next > self.end => Some(SET_BACK),
            _ => None,
        }
    }
}

/// Whether a log is still the one that was read, after an answer that says where it begins; `None` if nobody can say yet.
pub(super) async fn is_same(
    partition: &mut Partition,
    known: &mut KnownRecords,
    log_start: i64,
) -> Result<Option<bool>, SourceError> {
    if known.newest.is_none() {
        return Ok(Some(true));
    }
    Ok(match known.look(partition, log_start).await? {
        LogIs::Same => Some(true),
        LogIs::Another => Some(false),
        LogIs::Hidden => None,
    })
}

/// Why a leader refuses to read from there.
pub(super) async fn out_of_range(partition: &mut Partition, next: i64) -> Result<&'static str, SourceError> {
    Ok(partition.extent().await?.lost(next).unwrap_or(SET_BACK))
}

pub(super) const fn print_of(record: &KafkaRecord) -> RecordPrint {
    (record.offset, record.print)
}

/// A batch that cannot be read counts as one record, at its end.
pub(super) fn print_of_unreadable(batch: &RecordBatch) -> RecordPrint {
    (batch.last, hash(&batch.raw))
}

fn print_at(offset: i64, batch: &RecordBatch) -> Option<RecordPrint> {
    match batch.records() {
        Ok(records) => records.iter().find(|record| record.offset == offset).map(print_of),
        Err(_) => Some(print_of_unreadable(batch)),
    }
}

const SET_BACK: &str = "was wiped or set back";
pub(super) const ANOTHER: &str = "is another one than was read";

/// How long an end may lie before what was read until it is believed.
pub(super) const BELIEVED_AFTER: Duration = Duration::from_secs(5);

const POLL: Duration = Duration::from_millis(250);
