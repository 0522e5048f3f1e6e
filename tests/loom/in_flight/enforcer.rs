//! Stands in for the store: one key is revoked at some time, for good, and its event concerns whoever waits for it. It publishes
//! and calls in the order that `src/state/store.rs` does.

use std::sync::Arc;

use loom::sync::Mutex;
use loom::sync::atomic::{AtomicU64, Ordering};

use crate::model::event::{Effect, Reason};
use crate::model::key::{Key, KeyKind};
use crate::model::options::LayerOptions;
use crate::model::verdict::{Revoked, RevokedBy};
use crate::state::terms::Terms;
use crate::state::waiters::WaiterIndex;

#[derive(Debug)]
pub(crate) struct Enforcer {
    pub(crate) domain: TrustDomain,
    pub(crate) options: LayerOptions,
}

#[derive(Debug)]
pub(crate) struct TrustDomain {
    pub(crate) store: Store,
}

#[derive(Debug)]
pub(crate) struct Store {
    /// In place of the pointer to a state: its version, and whether [`key`] is revoked in it.
    state: AtomicU64,
    /// The hint.
    version: AtomicU64,
    writer: Mutex<()>,
    pub(crate) waiters: WaiterIndex,
}

/// The key that is revoked.
pub(crate) fn key() -> Key {
    Key::token("t")
}

impl Store {
    pub(crate) fn stream_ending(&self, terms: &Terms, seen: &mut u64) -> Option<Revoked> {
        self.ending(terms, seen)
    }

    pub(crate) fn not_ended(&self, _: &Terms) -> Option<Terms> {
        panic!("no model lets its work finish")
    }
}

impl Enforcer {
    pub(crate) fn new() -> Arc<Self> {
        let store = Store {
            state: AtomicU64::new(0),
            version: AtomicU64::new(0),
            writer: Mutex::new(()),
            waiters: WaiterIndex::with_shards(1),
        };
        Arc::new(Self {
            domain: TrustDomain { store },
            options: LayerOptions::default(),
        })
    }

    pub(crate) fn end(&self, why: Revoked) -> Option<Revoked> {
        Some(why)
    }
}

impl Store {
    /// The version that admits, or `None` if the key is revoked already.
    pub(crate) fn admit(&self) -> Option<u64> {
        let state = self.state.load(Ordering::Acquire);
        (state & 1 == 0).then_some(state >> 1)
    }

    pub(crate) fn has_changed_since(&self, seen: u64) -> bool {
        self.version.load(Ordering::Relaxed) != seen
    }

    pub(crate) fn ending(&self, terms: &Terms, seen: &mut u64) -> Option<Revoked> {
        let state = self.state.load(Ordering::Acquire);
        if std::mem::replace(seen, state >> 1) == state >> 1 {
            return None;
        }
        (state & 1 == 1 && terms.keys().contains(&key())).then_some(Revoked {
            kind: KeyKind::Token,
            effect: Effect::Block,
            source: RevokedBy::Event,
            reason: Reason::Unspecified,
        })
    }

    /// An event for the key.
    pub(crate) fn revoke(&self) {
        self.publish(1);
        self.waiters.call(&key(), || |_: &Terms| true);
    }

    /// A list that carries the key.
    pub(crate) fn install(&self) {
        self.publish(1);
        self.waiters.call_all(|_: &Terms| true);
    }

    /// An event for another key.
    pub(crate) fn revoke_another(&self) {
        self.publish(0);
        self.waiters.call(&Key::subject("another"), || |_: &Terms| true);
    }

    pub(crate) fn publish(&self, revoked: u64) {
        let _one_at_a_time = self.writer.lock().unwrap();
        let state = self.state.load(Ordering::Acquire);
        let version = (state >> 1) + 1;
        self.state.swap(version << 1 | state & 1 | revoked, Ordering::AcqRel);
        self.version.store(version, Ordering::Relaxed);
    }
}
