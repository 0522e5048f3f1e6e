//! The shared primitives of requests, writers and waiting work, in one place, so that `tests/loom` can replace them
//! with loom's.

pub(crate) use std::sync::{Mutex, MutexGuard};
pub(crate) use std::thread::yield_now;

pub(crate) use arc_swap::ArcSwap;
pub(crate) use atomic_waker::AtomicWaker;
