//! Whether a partition still has what was read of it, and all that came since.

use rskafka::record::RecordAndOffset;

use crate::model::timestamp::Timestamp;
use crate::source::error::SourceError;
use crate::source::event_source::Continuity;
use crate::source::kafka::partition::Partition;
use crate::source::landmark::{Landmark, hash};
use crate::source::position::Start;

/// Two records that were read of a partition. A log that was made anew, or lost its end, and has grown since has other records
/// in their places; nothing else tells, as the client keeps the leader's epoch to itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KnownRecords {
    newest: Option<RecordPrint>,
    /// The one that was the newest when it was last looked whether they are there. While nobody looked, the newest may be
    /// another log's already.
    seen_again: Option<RecordPrint>,
}

/// A record's offset, and a hash of the rest.
type RecordPrint = (i64, u64);

impl KnownRecords {
    /// Notes that a record was read. Returns by what to recognize the log from there on.
    pub(super) fn read(&mut self, record: &RecordAndOffset) -> Landmark {
        let newest = fingerprint(record);
        self.newest = Some(newest);
        let (offset, seen_again) = *self.seen_again.get_or_insert(newest);
        Landmark::new([newest.1, u64::try_from(offset).unwrap_or_default(), seen_again, 0])
    }

    /// Returns those that a landmark tells of.
    fn of((offset, landmark): (u128, Landmark)) -> Self {
        let [newest, other, seen_again, _] = landmark.numbers();
        let at = |offset| i64::try_from(offset).unwrap_or(i64::MAX);
        Self {
            newest: Some((i64::try_from(offset).unwrap_or(i64::MAX), newest)),
            seen_again: Some((at(other), seen_again)),
        }
    }

    /// Looks whether they are where they were; one that the log's beginning has come past is not missed.
    async fn are_there(&mut self, partition: &Partition, earliest: i64, end: i64) -> Result<bool, SourceError> {
        for known @ (offset, _) in [self.seen_again, self.newest].into_iter().flatten() {
            if offset < earliest {
                continue;
            }
            if offset >= end || partition.record(offset).await?.as_ref().map(fingerprint) != Some(known) {
                return Ok(false);
            }
        }
        self.seen_again = self.newest;
        Ok(true)
    }
}

/// Where reading a partition begins.
pub(super) struct Beginning {
    pub(super) next: i64,
    pub(super) known: KnownRecords,
    pub(super) continuity: Continuity,
}

impl Beginning {
    /// Finds it, in a partition that has records from the earliest to its end.
    pub(super) async fn find(
        partition: &Partition,
        number: u32,
        start: &Start,
        earliest: i64,
        end: i64,
    ) -> Result<Self, SourceError> {
        let first = first(partition, start.time(), earliest, end);
        let Some(after) = start.after(number) else {
            return first.await;
        };
        let next = i64::try_from(after).map_or(i64::MAX, |after| after.saturating_add(1));
        let mut known = KnownRecords::default();
        let mut loss = lost(partition, next, &mut known, earliest, end).await?;
        for landmark in start.landmarks(number) {
            known = KnownRecords::of(landmark);
            if loss.is_none() {
                loss = lost(partition, next, &mut known, earliest, end).await?;
            }
        }
        Ok(match loss {
            None => Self {
                next,
                known,
                continuity: Continuity::Complete,
            },
            Some(reason) => Self {
                continuity: Continuity::Gap(format!("partition {number} {reason}")),
                ..first.await?
            },
        })
    }
}

/// Where reading begins the first time, and whether everything since then is there.
async fn first(partition: &Partition, time: Timestamp, earliest: i64, end: i64) -> Result<Beginning, SourceError> {
    let since = partition.at(time).await?;
    // Everything that is still to come is wanted, also if its time is older.
    let next = since.unwrap_or(end).min(end).max(earliest);
    let has_older = next > earliest;
    let is_from_the_beginning = time == Timestamp::default() && earliest == 0;
    Ok(Beginning {
        next,
        known: KnownRecords::default(),
        continuity: match has_older || is_from_the_beginning {
            true => Continuity::Complete,
            false => Continuity::Gap("the topic does not reach back far enough".to_owned()),
        },
    })
}

/// Why reading cannot go on from there without a gap.
pub(super) async fn lost(
    partition: &Partition,
    next: i64,
    known: &mut KnownRecords,
    earliest: i64,
    end: i64,
) -> Result<Option<&'static str>, SourceError> {
    if next < earliest {
        return Ok(Some("was trimmed"));
    }
    if next > end {
        return Ok(Some("was wiped or set back"));
    }
    let are_there = known.are_there(partition, earliest, end).await?;
    Ok((!are_there).then_some("is another one than was read"))
}

fn fingerprint(read: &RecordAndOffset) -> RecordPrint {
    let record = &read.record;
    let time = record.timestamp.timestamp_millis();
    (read.offset, hash((&record.key, &record.value, &record.headers, time)))
}
