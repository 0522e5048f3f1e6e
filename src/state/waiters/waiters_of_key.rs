//! The waiters of one key.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::state::waiters::waiter::Waiter;

/// The waiters of one key: nearly always one, but all streams of an agent may wait for its key.
#[derive(Debug)]
#[expect(
    clippy::box_collection,
    reason = "one of these stands for each key that is waited for: it has to be small"
)]
pub(crate) enum WaitersOfKey {
    Crowd(Box<HashSet<ByAddress>>),
    One(Arc<Waiter>),
}

impl WaitersOfKey {
    pub(crate) fn add(&mut self, waiter: &Arc<Waiter>) {
        match self {
            Self::One(first) if Arc::ptr_eq(first, waiter) => {}
            Self::One(first) => {
                let both = [Arc::clone(first), Arc::clone(waiter)].map(ByAddress);
                *self = Self::Crowd(Box::new(HashSet::from(both)));
            }
            Self::Crowd(crowd) => {
                crowd.insert(ByAddress(Arc::clone(waiter)));
            }
        }
    }

    /// Removes `waiter`. Returns whether nobody is left.
    pub(crate) fn remove(&mut self, waiter: &Arc<Waiter>) -> bool {
        match self {
            Self::One(only) => Arc::ptr_eq(only, waiter),
            Self::Crowd(crowd) => {
                crowd.remove(&ByAddress(Arc::clone(waiter)));
                if crowd.len() < crowd.capacity() / 4 {
                    crowd.shrink_to(2 * crowd.len());
                }
                crowd.is_empty()
            }
        }
    }

    pub(crate) fn each(&self, mut visit: impl FnMut(&Waiter)) {
        match self {
            Self::One(only) => visit(only),
            Self::Crowd(crowd) => crowd.iter().for_each(|waiter| visit(&waiter.0)),
        }
    }
}

/// A waiter that is compared by its address.
#[derive(Debug)]
pub(crate) struct ByAddress(Arc<Waiter>);

impl PartialEq for ByAddress {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ByAddress {}

impl Hash for ByAddress {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}
