//! Counters of decisions, and of what became of messages.

use std::array;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::decode::{Disposition, Ended, OTHER_CODE};
use crate::model::verdict::RevokedBy;
use crate::status::DispositionCounts;

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Admit,
    Anonymous,
    RevokedByEvent,
    RevokedByList,
    Unknown,
    Unreadable,
}

impl From<RevokedBy> for Outcome {
    /// Which of the two says that the credential is revoked.
    fn from(source: RevokedBy) -> Self {
        match source {
            RevokedBy::Event | RevokedBy::Host => Self::RevokedByEvent,
            RevokedBy::List => Self::RevokedByList,
        }
    }
}

/// How often each thing happened since the start.
#[derive(Debug)]
pub(crate) struct Counters {
    stripes: [Stripe; STRIPES],
    events: AtomicU64,
    would_refuse: AtomicU64,
    cut: AtomicU64,
    would_cut: AtomicU64,
    applied: AtomicU64,
    /// Messages that ended in another way, by how and why. Consumers of messages lock it; requests never do.
    reasons: Mutex<Reasons>,
}

/// How many messages ended, by disposition and reason.
pub(crate) type Reasons = BTreeMap<(&'static str, &'static str), u64>;

impl Counters {
    pub(crate) fn new() -> Self {
        Self {
            stripes: array::from_fn(|_| Stripe::default()),
            events: AtomicU64::new(0),
            would_refuse: AtomicU64::new(0),
            cut: AtomicU64::new(0),
            would_cut: AtomicU64::new(0),
            applied: AtomicU64::new(0),
            reasons: Mutex::default(),
        }
    }

    /// Counts a request. Each thread has a stripe, so that cores don't pass one cache line around. Returns how many there were in this
    /// stripe.
    pub(crate) fn decided(&self, outcome: Outcome) -> u64 {
        let stripe = STRIPE.with(|stripe| *stripe);
        self.stripes[stripe].0[outcome as usize].fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts a request that a layer in observe-only mode would have refused.
    pub(crate) fn would_refuse(&self) {
        self.would_refuse.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a piece of work in flight that was ended.
    pub(crate) fn cut(&self) {
        self.cut.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a piece of work in flight that a layer in observe-only mode would have ended.
    pub(crate) fn would_cut(&self) {
        self.would_cut.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts events that were put in force.
    pub(crate) fn applied(&self, events: usize) {
        self.events.fetch_add(events as u64, Ordering::Relaxed);
    }

    /// Counts a message by what became of it.
    pub(crate) fn disposed(&self, ended: &Ended) {
        if ended.disposition == Disposition::Applied {
            self.applied.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let name = ended.disposition.as_str();
        let mut reasons = self.locked_reasons();
        // A decoder that invents names must not fill the memory of the recorder that holds them.
        let is_known = reasons.len() < MOST_REASONS || reasons.contains_key(&(name, ended.code));
        let code = if is_known { ended.code } else { OTHER_CODE };
        *reasons.entry((name, code)).or_default() += 1;
    }

    /// How many events were put in force.
    pub(crate) fn of_events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// How many messages ended in some other way than being applied, by reason.
    #[cfg(feature = "metrics")]
    pub(crate) fn of_reasons(&self) -> Reasons {
        self.locked_reasons().clone()
    }

    /// How many requests had `outcome`.
    pub(crate) fn of_outcome(&self, outcome: Outcome) -> u64 {
        let count = |stripe: &Stripe| stripe.0[outcome as usize].load(Ordering::Relaxed);
        self.stripes.iter().map(count).sum()
    }

    /// How many messages there were, by what became of them.
    pub(crate) fn of_dispositions(&self) -> DispositionCounts {
        let reasons = self.locked_reasons();
        let of = |name: &str| {
            reasons
                .iter()
                .filter(|((ended, _), _)| *ended == name)
                .map(|(_, count)| count)
                .sum()
        };
        DispositionCounts {
            applied: self.applied.load(Ordering::Relaxed),
            ignored: of("ignored"),
            retry: of("retry"),
            dead_letter: of("dead-letter"),
        }
    }

    /// How many requests layers in observe-only mode would have refused.
    pub(crate) fn of_would_refuse(&self) -> u64 {
        self.would_refuse.load(Ordering::Relaxed)
    }

    /// How many pieces of work in flight were ended.
    pub(crate) fn of_cut(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }

    /// How many pieces of work in flight layers in observe-only mode would have ended.
    pub(crate) fn of_would_cut(&self) -> u64 {
        self.would_cut.load(Ordering::Relaxed)
    }

    fn locked_reasons(&self) -> MutexGuard<'_, Reasons> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The counters of the threads that share this stripe, on cache lines of their own (two: processors fetch pairs).
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe([AtomicU64; OUTCOMES]);

const OUTCOMES: usize = Outcome::Unreadable as usize + 1;
const STRIPES: usize = 16;
/// Far more than any decoder of this crate has.
const MOST_REASONS: usize = 64;

static NEXT_STRIPE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static STRIPE: usize = NEXT_STRIPE.fetch_add(1, Ordering::Relaxed) % STRIPES;
}
