//! Transactions that were aborted.

use std::collections::BTreeSet;

use crate::source::kafka::wire::{AbortedTransaction, RecordBatch};

/// Tells which batches of an answer count. The broker sends those of aborted transactions as well, and says which these are.
pub(super) struct CommittedBatches {
    /// Those that begin further on.
    to_come: Vec<AbortedTransaction>,
    /// The publishers whose transaction of now will be aborted.
    aborting: BTreeSet<i64>,
}

impl CommittedBatches {
    pub(super) fn new(mut aborted: Vec<AbortedTransaction>) -> Self {
        aborted.sort_unstable_by_key(|aborted| std::cmp::Reverse(aborted.first));
        Self {
            to_come: aborted,
            aborting: BTreeSet::new(),
        }
    }

    /// Returns a batch of records that count; `None` for one that is of an aborted transaction, or says how one ended. They have
    /// to come in order.
    pub(super) fn sift(&mut self, batch: RecordBatch) -> Option<RecordBatch> {
        while let Some(next) = self.to_come.pop_if(|next| next.first <= batch.last) {
            self.aborting.insert(next.producer);
        }
        let (producer, is_aborted) = (batch.producer, self.aborting.contains(&batch.producer));
        if batch.is_control {
            if batch.is_abort() {
                self.aborting.remove(&producer);
            }
            return None;
        }
        Some(batch).filter(|batch| !(batch.is_transactional && is_aborted))
    }
}
