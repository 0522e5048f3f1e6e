//! What the index of waiting work is made of, in one place, so that `tests/interleaving` can put loom's in its stead.

pub(crate) use std::sync::{Mutex, MutexGuard};

pub(crate) use atomic_waker::AtomicWaker;
