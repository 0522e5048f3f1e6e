//! The index of waiting work by key.

use std::cell::LazyCell;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::task::Waker;

use crate::model::key::Key;
use crate::state::sync::{Mutex, MutexGuard};
use crate::state::table::Table;
use crate::state::terms::Terms;
use crate::state::waiters::waiter::Waiter;
use crate::state::waiters::waiters_of_key::WaitersOfKey;

/// Who waits for which key.
///
/// Work enters when it first has to wait, under each of its keys, and leaves when it ends; an event calls those who
/// wait for its key, and nobody else. Keys are spread over shards with a lock each, that is held for as long as
/// a look-up takes; no waker is woken under it. A key that many share, such as a tenant, is kept in each shard, for
/// those whose first own key lies there: otherwise everybody would have to take his turn at one lock.
///
/// That nothing is missed takes two orders of things: whoever enters looks at the state *afterwards*, and whoever
/// changes the state calls *afterwards*. If the change's call finds the lock first, then the look that comes after it
/// sees the change; if not, then the call finds who has entered. `tests/loom` goes through all the ways in
/// which they can meet.
pub(crate) struct WaiterIndex {
    shards: Box<[Shard]>,
    /// How many wakers were woken.
    woken: AtomicU64,
}

/// Some of the keys, on a cache line of their own.
#[repr(align(64))]
#[derive(Default)]
struct Shard(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    keys: Table<WaitersOfKey>,
    /// How many entered under a key of this shard first.
    entered: usize,
}

impl WaiterIndex {
    /// With as many locks as a machine has cores, give or take.
    pub(crate) fn new() -> Self {
        Self::with_shards(SHARDS)
    }

    pub(crate) fn with_shards(shards: usize) -> Self {
        Self {
            shards: (0..shards).map(|_| Shard::default()).collect(),
            woken: AtomicU64::new(0),
        }
    }

    /// Lets `waiter` be called by any of its keys. Look at the state after that.
    pub(crate) fn enter(&self, waiter: &Arc<Waiter>) {
        for (nth, key) in waiter.terms().own().enumerate() {
            let mut shard = lock(self.shard(&key));
            shard.enter(&key, waiter);
            if nth == 0 {
                shard.entered += 1;
                waiter.terms().shared().for_each(|key| shard.enter(&key, waiter));
            }
        }
    }

    /// Takes back what [`enter`](Self::enter) did.
    pub(crate) fn leave(&self, waiter: &Arc<Waiter>) {
        for (nth, key) in waiter.terms().own().enumerate() {
            let mut shard = lock(self.shard(&key));
            shard.leave(&key, waiter);
            if nth == 0 {
                shard.entered -= 1;
                waiter.terms().shared().for_each(|key| shard.leave(&key, waiter));
            }
        }
    }

    /// Wakes those who wait for `key` and whom it concerns, as `judge` says once it is asked. Publish first.
    pub(crate) fn call<J>(&self, key: &Key, judge: impl FnOnce() -> J)
    where
        J: Fn(&Terms) -> bool,
    {
        let shards = match key.kind().is_shared() {
            true => &*self.shards,
            false => slice::from_ref(self.shard(key)),
        };
        let concerns = LazyCell::new(judge);
        for shard in shards {
            let mut wakers = Vec::new();
            if let Some(waiters) = lock(shard).keys.get(key.fingerprint()) {
                waiters.each(|waiter| wakers.extend(waiter.call(&*concerns)));
            }
            self.wake(wakers);
        }
    }

    /// Wakes those, of all who wait, whom it `concerns`. Publish first.
    ///
    /// Takes time proportional to all who wait, and no lock for longer than a chunk of keys takes. It goes from the end
    /// to the start: whatever is moved meanwhile moves towards the start, and those who enter do so at the end, and
    /// see for themselves.
    pub(crate) fn call_all(&self, concerns: impl Fn(&Terms) -> bool) {
        for shard in &self.shards {
            let mut upto = usize::MAX;
            while upto > 0 {
                let mut wakers = Vec::new();
                let waiting = lock(shard);
                let end = upto.min(waiting.keys.len());
                let start = end.saturating_sub(CHUNK);
                let entries = (start..end).filter_map(|position| waiting.keys.at(position));
                for (key, waiters) in entries.filter(|(key, _)| !key.kind().is_shared()) {
                    waiters.each(|waiter| {
                        // Each is asked once, by the first of its keys.
                        let is_first = waiter.terms().own().next().map(|first| first.fingerprint()) == Some(key);
                        wakers.extend(waiter.call(|terms| is_first && concerns(terms)));
                    });
                }
                drop(waiting);
                upto = start;
                self.wake(wakers);
            }
        }
    }

    /// How many have entered and not left.
    pub(crate) fn waiting(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).entered).sum()
    }

    /// How many were woken since the start.
    pub(crate) fn woken(&self) -> u64 {
        self.woken.load(Ordering::Relaxed)
    }

    /// Without a lock: a waker may do anything, such as drop a body that then leaves. It may also panic, where its executor is
    /// gone; the others have to be woken all the same.
    fn wake(&self, wakers: Vec<Waker>) {
        for waker in wakers {
            self.woken.fetch_add(1, Ordering::Relaxed);
            if panic::catch_unwind(AssertUnwindSafe(|| waker.wake())).is_err() {
                tracing::error!("a waker panicked: what it should have woken may go on");
            }
        }
    }

    fn shard(&self, key: &Key) -> &Shard {
        // The table takes its places from the bits at both ends.
        let place = (key.fingerprint().place() >> 24) as usize;
        &self.shards[place % self.shards.len()]
    }
}

impl Waiting {
    fn enter(&mut self, key: &Key, waiter: &Arc<Waiter>) {
        match self.keys.get_mut(key.fingerprint()) {
            Some(waiters) => waiters.add(waiter),
            None => self
                .keys
                .insert_new(key.fingerprint(), WaitersOfKey::One(Arc::clone(waiter))),
        }
    }

    fn leave(&mut self, key: &Key, waiter: &Arc<Waiter>) {
        let waiters = self.keys.get_mut(key.fingerprint());
        if waiters.is_some_and(|waiters| waiters.remove(waiter)) {
            self.keys.remove(key.fingerprint());
        }
    }
}

impl fmt::Debug for WaiterIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaiterIndex").finish_non_exhaustive()
    }
}

/// Nothing under the lock leaves anything half done for others to see.
fn lock(shard: &Shard) -> MutexGuard<'_, Waiting> {
    shard.0.lock().unwrap_or_else(PoisonError::into_inner)
}

const SHARDS: usize = 32;

/// How many keys are looked at under one lock: some 50 µs.
const CHUNK: usize = 256;
