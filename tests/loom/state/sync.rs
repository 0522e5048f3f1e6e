//! loom's, in place of `src/sync.rs`.

use std::ops::Deref;
use std::sync::{Arc, LockResult};
use std::task::Waker;

pub(crate) use loom::sync::MutexGuard;
pub(crate) use loom::thread::yield_now;

/// loom's, which no panic poisons.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        self.0.lock()
    }

    pub(crate) fn clear_poison(&self) {}
}

/// One pointer that is loaded and swapped, each at one moment: all that an `ArcSwap` promises. A reader holds what it loaded
/// until it lets go, which others may do things before as well.
pub(crate) struct ArcSwap<T> {
    pointer: loom::sync::Mutex<Arc<T>>,
    leaving: loom::sync::atomic::AtomicUsize,
}

impl<T> ArcSwap<T> {
    pub(crate) fn from_pointee(value: T) -> Self {
        Self {
            pointer: loom::sync::Mutex::new(Arc::new(value)),
            leaving: loom::sync::atomic::AtomicUsize::new(0),
        }
    }

    pub(crate) fn load(&self) -> Guard<'_, T> {
        let value = Some(Arc::clone(&self.pointer.lock().expect("no panic poisons it")));
        let leaving = &self.leaving;
        Guard { value, leaving }
    }

    pub(crate) fn swap(&self, value: Arc<T>) -> Arc<T> {
        std::mem::replace(&mut self.pointer.lock().expect("no panic poisons it"), value)
    }
}

/// What a reader holds.
pub(crate) struct Guard<'a, T> {
    value: Option<Arc<T>>,
    leaving: &'a loom::sync::atomic::AtomicUsize,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("it is there until the end")
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        // A moment at which loom may let others go first.
        self.leaving.fetch_add(1, loom::sync::atomic::Ordering::AcqRel);
        self.value = None;
    }
}

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
