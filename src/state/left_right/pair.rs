//! The two states.

use std::collections::BTreeSet;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::state::sync::{ArcSwap, Mutex, MutexGuard, yield_now};
use crate::state::view::{State, Step};

/// Two states, written in turn: one is published while the other is brought up to date.
///
/// A reader loads a pointer, looks, and lets go: no lock, no allocation, nothing to free. The writer holds a second
/// state that no reader can see. It brings that one up to date *in place*, publishes it with a single swap, and gets
/// the previous one back as the next second state. So the cost of a change depends on the change and not on the size of
/// the state, and nothing is copied. Every decision sees one consistent view. No request ever drops a state, because
/// the writer holds each one until the last reader has left it.
///
/// The price is memory for two overlays, and a wait. Before the writer writes to a state that was just retired, it
/// waits until the readers that are inside [`look`](Self::look) (some 100 ns) have finished. If one does not finish,
/// the writer copies the published state and goes on.
///
/// `tests/loom` checks all the ways in which readers and writers can meet.
pub(crate) struct Pair {
    pub(super) published: OwnLines<Published>,
    pub(super) writer: Mutex<Writer>,
}

pub(super) struct Published {
    pub(super) state: ArcSwap<State>,
    /// The state's version, stored after the state: a hint whether it is worth looking. A reader that finds it changed
    /// and looks uses the version that the state itself names, so nothing depends on their order.
    version: AtomicU64,
}

pub(super) struct Writer {
    /// The state that is not published.
    pub(super) spare: Arc<State>,
    /// The steps that the published state has run and the spare one has not.
    behind: Vec<Step>,
    /// States that were given up because a reader would not leave them. They are held so that no reader has to free
    /// them.
    pub(super) abandoned: Vec<Arc<State>>,
}

/// The right to write, one at a time.
pub(crate) struct Writing<'a> {
    pub(super) published: &'a Published,
    pub(super) writer: MutexGuard<'a, Writer>,
}

/// A value on cache lines of its own (two: processors fetch pairs), so that a writer that writes beside it doesn't take
/// it from the readers' caches.
#[repr(align(128))]
pub(super) struct OwnLines<T>(pub(super) T);

impl Pair {
    /// A pair of this state.
    pub(crate) fn new(state: State) -> Self {
        Self {
            writer: Mutex::new(Writer {
                spare: Arc::new(state.clone()),
                behind: Vec::new(),
                abandoned: Vec::new(),
            }),
            published: OwnLines(Published {
                version: AtomicU64::new(state.version),
                state: ArcSwap::from_pointee(state),
            }),
        }
    }

    /// Looks at the published state. `look` must be short: the writer waits for it.
    #[inline]
    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.published.0.state.load())
    }

    /// Whether anything was published since the state of version `seen`.
    #[inline]
    pub(crate) fn has_changed_since(&self, seen: u64) -> bool {
        self.published.0.version.load(Ordering::Relaxed) != seen
    }

    /// Waits until nobody else writes, and returns the right to write.
    pub(crate) fn write(&self) -> Writing<'_> {
        let published = &self.published.0;
        let writer = self.writer.lock().unwrap_or_else(|poisoned| {
            // Only a step can have panicked under the lock. What it left behind was never published.
            self.writer.clear_poison();
            let mut writer = poisoned.into_inner();
            writer.start_over(&published.state);
            writer
        });
        Writing { published, writer }
    }
}

impl Writing<'_> {
    /// Runs `steps` on the spare state, publishes it, and returns which steps found no room. Every later decision sees
    /// them all.
    pub(crate) fn publish(&mut self, steps: Vec<Step>) -> BTreeSet<usize> {
        let version = self.published.state.load().version + 1;
        let spare = self.writer.spare(&self.published.state);
        let outcomes = steps.iter().map(|step| spare.run(step)).enumerate();
        let full = outcomes
            .filter(|(_, outcome)| outcome.is_err())
            .map(|(at, _)| at)
            .collect();
        spare.version = version;
        self.writer.behind = steps;
        let next = Arc::clone(&self.writer.spare);
        self.writer.spare = self.published.state.swap(next);
        self.published.version.store(version, Ordering::Relaxed);
        full
    }

    /// The steps that were published last. Empty after [`settle`](Self::settle).
    pub(crate) fn steps(&self) -> &[Step] {
        &self.writer.behind
    }

    /// Brings the spare state up to date at once. What only the spare state still holds (a replaced list) is freed
    /// here.
    pub(crate) fn settle(&mut self) {
        self.writer.spare(&self.published.state);
    }
}

impl Writer {
    /// The spare state, brought up to date, with no reader left in it.
    pub(super) fn spare(&mut self, published: &ArcSwap<State>) -> &mut State {
        self.abandoned.retain(|state| Arc::strong_count(state) > 1);
        let mut patience = PATIENCE;
        while Arc::get_mut(&mut self.spare).is_none() && patience > 0 {
            yield_now();
            patience -= 1;
        }
        if Arc::get_mut(&mut self.spare).is_none() {
            self.start_over(published);
        }
        let behind = mem::take(&mut self.behind);
        let spare = Arc::get_mut(&mut self.spare).expect("no reader has seen the spare state, or it has left");
        for step in &behind {
            // A step that found no room the first time finds none now.
            let _ = spare.run(step);
        }
        spare
    }

    /// Gives up the spare state for a copy of the published one.
    fn start_over(&mut self, published: &ArcSwap<State>) {
        let copy = Arc::new(State::clone(&published.load()));
        self.abandoned.push(mem::replace(&mut self.spare, copy));
        self.behind.clear();
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}

/// How many times the writer yields to a reader before it copies the state instead. Readers leave within 1 µs
/// unless they are descheduled; a thousand yields outlast several time slices.
const PATIENCE: u32 = 1_000;
