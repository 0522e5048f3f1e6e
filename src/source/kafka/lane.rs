//! Reads a partition ahead.

use std::time::Duration;

use rskafka::client::Client;
use rskafka::record::RecordAndOffset;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::model::timestamp::Timestamp;
use crate::source::error::SourceError;
use crate::source::event_source::Continuity;
use crate::source::kafka::landmark::Landmark;
use crate::source::kafka::partition::Partition;
use crate::source::position::Start;

/// A partition that is being read.
pub(super) struct Lane {
    pub(super) number: u32,
    partition: Partition,
    next: i64,
    pub(super) landmark: Option<Landmark>,
    max_wait: Duration,
    checked: Instant,
}

/// Some records of one lane in their order; none after a while in which none came.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) lane: u32,
    pub(super) records: Vec<RecordAndOffset>,
    /// Where the next record will be that is published.
    pub(super) end: i64,
    /// What the log is recognized by from here on; none before the first record.
    pub(super) landmark: Option<Landmark>,
}

/// Why a lane is no longer read.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) error: SourceError,
    /// What is wrong with the lane's log, if something is: then there is a gap, also if the log is fine when it is opened anew.
    pub(super) loss: Option<(u32, &'static str)>,
}

/// What is remembered of a lane over openings.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    pub(super) landmark: Option<Landmark>,
    pub(super) loss: Option<&'static str>,
}

/// A partition as it was when it was opened.
pub(super) struct Opened {
    pub(super) lane: Lane,
    pub(super) continuity: Continuity,
    /// Where the records end that were there and are still to be read, if any are.
    pub(super) old_until: Option<i64>,
}

impl Lane {
    pub(super) async fn open(
        client: &Client,
        topic: &str,
        number: u32,
        past: Past,
        start: &Start,
        max_wait: Duration,
    ) -> Result<Opened, SourceError> {
        let partition = Partition::of(client, topic, number).await?;
        // First, so that whatever comes meanwhile is behind it.
        let end = partition.end().await?;
        let earliest = partition.earliest().await?;
        let Past { mut landmark, loss } = past;
        let (next, continuity) = match start.after(number) {
            None => {
                landmark = None;
                first(&partition, start, earliest, end).await?
            }
            Some(after) => {
                let next = i64::try_from(after).map_or(i64::MAX, |after| after.saturating_add(1));
                let reason = match loss {
                    Some(reason) => Some(reason),
                    None => lost(&partition, next, landmark.as_mut(), earliest, end).await?,
                };
                match reason {
                    None => (next, Continuity::Complete),
                    Some(reason) => {
                        landmark = None;
                        let (next, _) = first(&partition, start, earliest, end).await?;
                        (next, Continuity::Gap(format!("partition {number} {reason}")))
                    }
                }
            }
        };
        let lane = Self {
            number,
            partition,
            next,
            landmark,
            max_wait,
            checked: Instant::now(),
        };
        Ok(Opened {
            lane,
            continuity,
            old_until: Some(end).filter(|end| *end > next),
        })
    }

    /// Reads until it fails, or until nobody listens any more.
    pub(super) async fn run(mut self, batches: mpsc::Sender<Result<Batch, Ended>>) {
        loop {
            let batch = self.read().await;
            let is_over = batch.is_err();
            if batches.send(batch).await.is_err() || is_over {
                return;
            }
        }
    }

    async fn read(&mut self) -> Result<Batch, Ended> {
        let asked = Instant::now();
        let (records, end) = self.partition.fetch(self.next, 1..BYTES, self.max_wait).await?;
        // Not every server refuses to read from behind the end.
        if end < self.next {
            return Err(self.failed().because("the log ends before what was read").into());
        }
        let is_jump = records.first().is_some_and(|first| first.offset > self.next);
        if is_jump || self.checked.elapsed() >= CHECK {
            self.check().await?;
        }
        match records.last() {
            Some(last) => {
                self.next = last.offset + 1;
                self.landmark = Landmark::after(self.landmark.as_ref(), &records);
            }
            // Some servers answer at once, and all of them do while a transaction is open or if its end is all there is.
            None => sleep_until(asked + self.max_wait).await,
        }
        Ok(Batch {
            lane: self.number,
            records,
            end,
            landmark: self.landmark.clone(),
        })
    }

    /// Checks that nothing was dropped before it was read, and that the log is still the same.
    async fn check(&mut self) -> Result<(), Ended> {
        let end = self.partition.end().await?;
        let earliest = self.partition.earliest().await?;
        match lost(&self.partition, self.next, self.landmark.as_mut(), earliest, end).await? {
            Some(reason) => Err(Ended {
                error: self.failed().because(reason),
                loss: Some((self.number, reason)),
            }),
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

impl From<SourceError> for Ended {
    fn from(error: SourceError) -> Self {
        Self { error, loss: None }
    }
}

/// Where reading starts the first time, and whether everything since then is there.
async fn first(
    partition: &Partition,
    start: &Start,
    earliest: i64,
    end: i64,
) -> Result<(i64, Continuity), SourceError> {
    let since = partition.at(start.time()).await?;
    // Everything that is still to come is wanted, also if its time is older.
    let next = since.unwrap_or(end).min(end).max(earliest);
    let has_older = next > earliest;
    let is_from_the_beginning = start.time() == Timestamp::default() && earliest == 0;
    let continuity = match has_older || is_from_the_beginning {
        true => Continuity::Complete,
        false => Continuity::Gap("the topic does not reach back far enough".to_owned()),
    };
    Ok((next, continuity))
}

/// Why reading cannot go on from there without a gap.
async fn lost(
    partition: &Partition,
    next: i64,
    landmark: Option<&mut Landmark>,
    earliest: i64,
    end: i64,
) -> Result<Option<&'static str>, SourceError> {
    if next < earliest {
        return Ok(Some("was trimmed"));
    }
    if next > end {
        return Ok(Some("was wiped or set back"));
    }
    let is_there = match landmark {
        Some(landmark) => landmark.is_there(partition, earliest, end).await?,
        None => true,
    };
    Ok((!is_there).then_some("is another one than was read"))
}

/// How much is asked for at once.
const BYTES: i32 = 1024 * 1024;

/// How often it is checked that the log is still the same.
const CHECK: Duration = Duration::from_secs(10);
