//! What requests, writers and waiting work share is made of, in one place, so that `tests/loom` can put loom's in its stead.

pub(crate) use std::sync::{Mutex, MutexGuard};
pub(crate) use std::thread::yield_now;

pub(crate) use arc_swap::ArcSwap;
pub(crate) use atomic_waker::AtomicWaker;
