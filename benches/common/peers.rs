//! What a user would hand-roll, and the physical floor.

#![allow(dead_code, reason = "each benchmark uses a part")]
#![allow(unreachable_pub, reason = "a module of several programs")]

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::RwLock;

use arc_swap::ArcSwap;
use dashmap::DashSet;
use tower_revocation::{EventSink, Verdict};

use crate::common::{Ids, revoked, sink};

/// One way to keep revoked ids.
pub trait Peer: Send + Sync {
    /// Holds a list of `snapshot` tokens and events about `overlay` subjects.
    fn holding(snapshot: usize, overlay: usize) -> Self
    where
        Self: Sized;

    /// Whether any of three ids is revoked.
    fn is_revoked(&self, ids: &Ids) -> bool;

    /// Revokes another id.
    fn revoke(&self, id: String);
}

/// This crate, from ids as text: making the keys is included. (The `ours` arm of `decide` starts from keys that were made
/// when the token was verified, as with `identify::extension`.)
pub struct Ours(pub EventSink);

impl Peer for Ours {
    fn holding(snapshot: usize, overlay: usize) -> Self {
        Self(sink(snapshot, overlay))
    }

    fn is_revoked(&self, ids: &Ids) -> bool {
        matches!(self.0.decide(&ids.credential()), Verdict::Revoked(_))
    }

    fn revoke(&self, id: String) {
        let revocation = tower_revocation::Revocation::block(tower_revocation::Key::subject(&id));
        let _ = self.0.apply(revocation).expect("there is room");
    }
}

pub struct RwLockHashSet(RwLock<HashSet<String>>);

impl Peer for RwLockHashSet {
    fn holding(snapshot: usize, overlay: usize) -> Self {
        Self(RwLock::new(revoked(snapshot, overlay).collect()))
    }

    fn is_revoked(&self, ids: &Ids) -> bool {
        let set = self.0.read().expect("no panic under the lock");
        ids.all().iter().any(|id| set.contains(*id))
    }

    fn revoke(&self, id: String) {
        self.0.write().expect("no panic under the lock").insert(id);
    }
}

impl RwLockHashSet {
    /// Revokes several ids under one lock.
    pub fn revoke_all(&self, ids: impl Iterator<Item = String>) {
        self.0.write().expect("no panic under the lock").extend(ids);
    }
}

pub struct ArcSwapHashSet(ArcSwap<HashSet<String>>);

impl Peer for ArcSwapHashSet {
    fn holding(snapshot: usize, overlay: usize) -> Self {
        Self(ArcSwap::from_pointee(revoked(snapshot, overlay).collect()))
    }

    fn is_revoked(&self, ids: &Ids) -> bool {
        let set = self.0.load();
        ids.all().iter().any(|id| set.contains(*id))
    }

    fn revoke(&self, id: String) {
        self.0.rcu(|set| {
            let mut set = HashSet::clone(set);
            set.insert(id.clone());
            set
        });
    }
}

pub struct Dashmap(DashSet<String>);

impl Peer for Dashmap {
    fn holding(snapshot: usize, overlay: usize) -> Self {
        Self(revoked(snapshot, overlay).collect())
    }

    fn is_revoked(&self, ids: &Ids) -> bool {
        ids.all().iter().any(|id| self.0.contains(*id))
    }

    fn revoke(&self, id: String) {
        self.0.insert(id);
    }
}

pub struct Papaya(papaya::HashSet<String>);

impl Peer for Papaya {
    fn holding(snapshot: usize, overlay: usize) -> Self {
        Self(revoked(snapshot, overlay).collect())
    }

    fn is_revoked(&self, ids: &Ids) -> bool {
        let set = self.0.pin();
        ids.all().iter().any(|id| set.contains(*id))
    }

    fn revoke(&self, id: String) {
        self.0.pin().insert(id);
    }
}

pub struct Moka(moka::sync::Cache<String, ()>);

impl Peer for Moka {
    fn holding(snapshot: usize, overlay: usize) -> Self {
        let cache = moka::sync::Cache::new(100_000_000);
        revoked(snapshot, overlay).for_each(|id| cache.insert(id, ()));
        cache.run_pending_tasks();
        Self(cache)
    }

    fn is_revoked(&self, ids: &Ids) -> bool {
        ids.all().iter().any(|id| self.0.contains_key(*id))
    }

    fn revoke(&self, id: String) {
        self.0.insert(id, ());
    }
}

pub struct Scc(scc::HashSet<String>);

impl Peer for Scc {
    fn holding(snapshot: usize, overlay: usize) -> Self {
        let set = scc::HashSet::default();
        for id in revoked(snapshot, overlay) {
            let _ = set.insert_sync(id);
        }
        Self(set)
    }

    fn is_revoked(&self, ids: &Ids) -> bool {
        ids.all().iter().any(|id| self.0.contains_sync(*id))
    }

    fn revoke(&self, id: String) {
        let _ = self.0.insert_sync(id);
    }
}

/// Three probes of one flat table at most half full, with hashes computed beforehand: no map that holds this many entries
/// in memory can do with less than these three cache lines.
pub struct Floor {
    slots: Box<[u64]>,
    hasher: RandomState,
}

impl Floor {
    pub fn holding(snapshot: usize, overlay: usize) -> Self {
        let size = (2 * (snapshot + overlay)).next_power_of_two().max(2);
        let mut floor = Self {
            slots: vec![0; size].into_boxed_slice(),
            hasher: RandomState::new(),
        };
        for id in revoked(snapshot, overlay) {
            let hash = floor.hash(&id);
            let mut at = hash as usize & (size - 1);
            while floor.slots[at] != 0 {
                at = (at + 1) & (size - 1);
            }
            floor.slots[at] = hash;
        }
        floor
    }

    /// The hashes of three ids, beforehand.
    pub fn hashes(&self, ids: &Ids) -> [u64; 3] {
        ids.all().map(|id| self.hash(id))
    }

    pub fn has_any(&self, hashes: &[u64; 3]) -> bool {
        hashes.iter().any(|hash| {
            let mask = self.slots.len() - 1;
            let mut at = *hash as usize & mask;
            loop {
                match self.slots[at] {
                    0 => return false,
                    found if found == *hash => return true,
                    _ => at = (at + 1) & mask,
                }
            }
        })
    }

    fn hash(&self, id: &str) -> u64 {
        self.hasher.hash_one(id).max(1)
    }
}
