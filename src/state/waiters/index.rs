//! The index of waiting work, by key.

use std::cell::LazyCell;
use std::fmt;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::task::Waker;

use crate::common::host_code::guarded;
use crate::common::log;
use crate::model::key::Key;
use crate::state::sync::{Mutex, MutexGuard};
use crate::state::table::Table;
use crate::state::terms::Terms;
use crate::state::waiters::waiter::Waiter;
use crate::state::waiters::waiters_of_key::WaitersOfKey;

/// Says which work waits for which key.
///
/// Work enters when it first has to wait, under each of its keys, and leaves when it ends. An event wakes the work that
/// waits for its key, and no other. Keys are spread over shards. Each shard has a lock, which is held for the time of a
/// look-up; no waker is woken under it. A key that many share, such as a tenant, is held in each shard, for the work
/// whose first own key lies there. Otherwise all of that work would contend for one lock.
///
/// Two orders make sure that every waiter sees every change: a waiter looks at the state *after* it entered, and a
/// writer calls *after* it changed the state. If the writer's call gets the lock first, the waiter's look comes later
/// and sees the change. Otherwise the call finds the waiter. `tests/loom` checks all the ways in which they can meet.
pub(crate) struct WaiterIndex {
    shards: Box<[Shard]>,
    /// How many wakers were woken.
    woken: AtomicU64,
}

/// A part of the keys, on a cache line of its own.
#[repr(align(64))]
#[derive(Default)]
struct Shard(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    keys: Table<WaitersOfKey>,
    /// How many waiters have their first key in this shard.
    entered: usize,
}

impl WaiterIndex {
    /// An index with about as many locks as a machine has cores.
    pub(crate) fn new() -> Self {
        Self::with_shards(SHARDS)
    }

    pub(crate) fn with_shards(shards: usize) -> Self {
        Self {
            shards: (0..shards).map(|_| Shard::default()).collect(),
            woken: AtomicU64::new(0),
        }
    }

    /// Lets `waiter` be woken by any of its keys. Look at the state after that.
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

    /// Undoes [`enter`](Self::enter).
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

    /// Wakes those who wait for `key` and whom the change concerns. `judge` is called at most once, and returns the
    /// test for that. Publish first.
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

    /// Wakes all waiters whom it `concerns`. Publish first.
    ///
    /// Takes time proportional to all who wait, and holds no lock for longer than a chunk of keys takes. It goes from
    /// the end to the start. An entry that is moved meanwhile moves towards the start, and is still found. A waiter
    /// that enters does so at the end, and looks at the state itself.
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
                        // Each is asked once, under the first of its keys.
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

    /// Wakes without a lock: a waker may do anything, such as drop a body that then leaves. It may also panic, if its
    /// executor is gone; the others have to be woken nevertheless.
    fn wake(&self, wakers: Vec<Waker>) {
        for waker in wakers {
            self.woken.fetch_add(1, Ordering::Relaxed);
            if guarded(|| waker.wake()).is_err() {
                log::error!("a waker panicked: what it should have woken may go on");
            }
        }
    }

    fn shard(&self, key: &Key) -> &Shard {
        // The table uses the bits at both ends.
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

/// A poisoned lock is fine: nothing that panics under it leaves anything half done.
fn lock(shard: &Shard) -> MutexGuard<'_, Waiting> {
    shard.0.lock().unwrap_or_else(PoisonError::into_inner)
}

const SHARDS: usize = 32;

/// How many keys are visited under one lock: some 50 µs.
const CHUNK: usize = 256;
