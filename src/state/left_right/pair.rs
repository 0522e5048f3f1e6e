//! The two states.

use std::collections::BTreeSet;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::state::sync::{ArcSwap, Mutex, MutexGuard, yield_now};
use crate::state::view::{State, Step};

/// Two states, written in turn: one is published, the other is brought up to date.
///
/// Readers load a pointer, look, and let go: no lock, no allocation, nothing to free. The writer keeps a
/// second state that no reader can see. It brings that one up to date *in place*, publishes it with a single swap, and gets the
/// previous one back as the next second state. So a change costs what it changes, at any size, and costs
/// no copy; every decision sees one consistent view; and no request ever drops a state, because the
/// writer holds on to each until the last reader has left it.
///
/// The price is memory for two overlays, and a wait: before writing to a state that was just retired, the
/// writer lets the readers that are inside [`look`](Self::look) (some 100 ns) finish. Should one
/// not, it copies the published state rather than wait for ever.
///
/// `tests/loom` goes through all the ways in which readers and writers can meet.
pub(crate) struct Pair {
    pub(super) published: OwnLines<Published>,
    pub(super) writer: Mutex<Writer>,
}

pub(super) struct Published {
    pub(super) state: ArcSwap<State>,
    /// The state's version, stored after it: a hint whether it is worth looking. Whoever finds it changed and looks goes on
    /// by the version that the state itself names, so that nothing hangs on their order.
    version: AtomicU64,
}

pub(super) struct Writer {
    /// The state that isn't published.
    pub(super) spare: Arc<State>,
    /// What the published state has seen and the spare one hasn't.
    behind: Vec<Step>,
    /// States given up because a reader would not leave them, kept so that no reader has to free them.
    pub(super) abandoned: Vec<Arc<State>>,
}

/// The right to write, one at a time.
pub(crate) struct Writing<'a> {
    pub(super) published: &'a Published,
    pub(super) writer: MutexGuard<'a, Writer>,
}

/// Something on cache lines of its own (two: processors fetch pairs), so that a writer that writes beside it
/// doesn't take it from the readers' caches.
#[repr(align(128))]
pub(super) struct OwnLines<T>(pub(super) T);

impl Pair {
    /// Two of this state.
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

    /// Waits until nobody else writes.
    pub(crate) fn write(&self) -> Writing<'_> {
        let published = &self.published.0;
        let writer = self.writer.lock().unwrap_or_else(|poisoned| {
            // A panic under the lock can only have come from a step. What it left behind is not what is published.
            self.writer.clear_poison();
            let mut writer = poisoned.into_inner();
            writer.start_over(&published.state);
            writer
        });
        Writing { published, writer }
    }
}

impl Writing<'_> {
    /// Runs `steps` on the spare state, publishes it, and returns which steps found no room. Whatever is decided from then on
    /// sees them all.
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

    /// What was published last, unless [`settle`](Self::settle) came after it.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.writer.behind
    }

    /// Brings the spare state up to date at once, so that what it alone still holds (a replaced list) is freed here
    /// and now.
    pub(crate) fn settle(&mut self) {
        self.writer.spare(&self.published.state);
    }
}

impl Writer {
    /// The spare state, up to date and with no reader left in it.
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
            // What found no room the first time finds none now.
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
