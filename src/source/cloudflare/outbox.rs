//! What Cloudflare has yet to be told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::source::cloudflare::wire::Settlement;

/// What became of messages, until it is told: many at a time, since each telling is a request. All clones are one.
#[derive(Clone, Default)]
pub(super) struct Outbox(Arc<Mutex<VecDeque<Settlement>>>);

impl Outbox {
    pub(super) fn push(&self, settlement: Settlement) {
        self.lock().push_back(settlement);
    }

    /// Takes the oldest, up to as many.
    pub(super) fn take(&self, most: usize) -> Vec<Settlement> {
        let mut all = self.lock();
        let count = all.len().min(most);
        all.drain(..count).collect()
    }

    /// Takes back what could not be told, to be told later. When there is too much, the oldest are let go: they are delivered
    /// again.
    pub(super) fn put_back(&self, settlements: Vec<Settlement>) {
        let mut all = self.lock();
        for settlement in settlements.into_iter().rev() {
            all.push_front(settlement);
        }
        let superfluous = all.len().saturating_sub(MOST);
        all.drain(..superfluous);
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Settlement>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const MOST: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(settlements: &[Settlement]) -> Vec<usize> {
        settlements
            .iter()
            .map(|settled| settled.lease.parse().unwrap())
            .collect()
    }

    fn with(numbers: std::ops::Range<usize>) -> Outbox {
        let outbox = Outbox::default();
        for number in numbers {
            outbox.push(Settlement {
                lease: number.to_string(),
                retry_in: None,
            });
        }
        outbox
    }

    #[test]
    fn what_could_not_be_told_is_told_first() {
        let outbox = with(0..5);
        let taken = outbox.take(2);
        assert_eq!(numbers(&taken), [0, 1]);
        outbox.put_back(taken);
        assert_eq!(numbers(&outbox.take(10)), [0, 1, 2, 3, 4]);
        assert_eq!(outbox.len(), 0);
    }

    #[test]
    fn has_bounds() {
        let outbox = with(0..MOST + 5);
        outbox.put_back(Vec::new());
        assert_eq!(outbox.len(), MOST);
        assert_eq!(numbers(&outbox.take(1)), [5]);
    }
}
