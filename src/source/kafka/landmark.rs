//! What a log is recognized by.

use std::sync::Arc;

use rskafka::record::RecordAndOffset;

use crate::source::error::SourceError;
use crate::source::kafka::partition::Partition;

/// The newest record that was read of a partition, and the one that was the newest when it was last looked whether they are
/// there. A log that was made anew, or lost its end, and has grown since has other records in their places; nothing else
/// tells, as the client keeps the leader's epoch to itself.
#[derive(Clone, Debug)]
pub(super) struct Landmark {
    newest: Arc<RecordAndOffset>,
    seen_again: Arc<RecordAndOffset>,
}

impl Landmark {
    /// After reading these records.
    pub(super) fn after(known: Option<&Self>, records: &[RecordAndOffset]) -> Option<Self> {
        let newest = Arc::new(records.last()?.clone());
        let seen_again = known.map_or_else(|| Arc::clone(&newest), |known| Arc::clone(&known.seen_again));
        Some(Self { newest, seen_again })
    }

    /// Looks whether the records are where they were; one that the log's beginning has come past is not missed.
    pub(super) async fn is_there(
        &mut self,
        partition: &Partition,
        earliest: i64,
        end: i64,
    ) -> Result<bool, SourceError> {
        for record in [&self.seen_again, &self.newest] {
            if record.offset < earliest {
                continue;
            }
            if record.offset >= end || partition.record(record.offset).await?.as_ref() != Some(&**record) {
                return Ok(false);
            }
        }
        self.seen_again = Arc::clone(&self.newest);
        Ok(true)
    }
}
