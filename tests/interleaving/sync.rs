//! loom's, in place of `src/sync.rs`.

use std::task::Waker;

pub(crate) use loom::sync::{Mutex, MutexGuard};

/// loom's, which takes wakers by value and has another name for taking one out.
pub(crate) struct AtomicWaker(loom::future::AtomicWaker);

impl AtomicWaker {
    pub(crate) fn new() -> Self {
        Self(loom::future::AtomicWaker::new())
    }

    pub(crate) fn register(&self, waker: &Waker) {
        self.0.register_by_ref(waker);
    }

    pub(crate) fn take(&self) -> Option<Waker> {
        self.0.take_waker()
    }
}
