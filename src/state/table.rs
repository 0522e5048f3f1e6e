//! A flat table from fingerprints to small values.

use std::fmt;
use std::mem;

use hashbrown::HashTable;

use crate::model::key::Fingerprint;

/// A flat map from [`Fingerprint`] to a small value.
///
/// Entries lie densely in one array, in the order in which they came; a hash index of 32-bit positions points into it.
/// This layout is for the common case, a look-up that finds nothing. It reads one group of the index's control bytes,
/// one byte a slot: 2 MB for a million entries, where the entries themselves take 24 MB or more. A look-up that finds
/// something pays one more cache miss.
#[derive(Clone)]
pub(crate) struct Table<V> {
    entries: Vec<(Fingerprint, V)>,
    index: HashTable<u32>,
}

impl<V> Table<V> {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many bytes of memory it takes, including those that it holds free.
    pub(crate) fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<(Fingerprint, V)>() + self.index.allocation_size()
    }

    /// The value of `key`. Costs nothing but a comparison if the table is empty.
    pub(crate) fn get(&self, key: Fingerprint) -> Option<&V> {
        if self.entries.is_empty() {
            return None;
        }
        let slot = *self.index.find(key.place(), |&slot| self.entries[at(slot)].0 == key)?;
        Some(&self.entries[at(slot)].1)
    }

    /// The value of `key`, to be changed in place.
    pub(crate) fn get_mut(&mut self, key: Fingerprint) -> Option<&mut V> {
        let entries = &mut self.entries;
        let slot = *self.index.find(key.place(), |&slot| entries[at(slot)].0 == key)?;
        Some(&mut entries[at(slot)].1)
    }

    /// Adds a key that the table does not have.
    pub(crate) fn insert_new(&mut self, key: Fingerprint, value: V) {
        debug_assert!(self.get(key).is_none(), "the key is new");
        let slot = slot(self.entries.len());
        // It grows by a quarter at a time, and not to twice the size: the memory is held twice.
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact((self.entries.len() / 4).max(8));
        }
        self.entries.push((key, value));
        let entries = &self.entries;
        self.index
            .insert_unique(key.place(), slot, |&slot| entries[at(slot)].0.place());
    }

    /// Removes a key. The last entry moves into its place.
    pub(crate) fn remove(&mut self, key: Fingerprint) -> Option<V> {
        let entries = &self.entries;
        let found = self.index.find_entry(key.place(), |&slot| entries[at(slot)].0 == key);
        let (gap, _) = found.ok()?.remove();
        let (_, value) = self.entries.swap_remove(at(gap));
        if let Some((moved, _)) = self.entries.get(at(gap)) {
            let from = slot(self.entries.len());
            let moved = self.index.find_mut(moved.place(), |&slot| slot == from);
            *moved.expect("every entry is indexed") = gap;
        }
        self.give_back();
        Some(value)
    }

    /// The entry at a position, from 0 to [`len`](Self::len). Entries keep their positions, except that the last one
    /// moves when another is removed.
    pub(crate) fn at(&self, position: usize) -> Option<(Fingerprint, &V)> {
        self.entries.get(position).map(|(key, value)| (*key, value))
    }

    /// Gives back most of the memory that is not needed any more.
    fn give_back(&mut self) {
        let len = self.entries.len();
        if self.entries.capacity() > MIN_SHRINK && len < self.entries.capacity() / 4 {
            self.entries.shrink_to(2 * len);
            let entries = &self.entries;
            self.index.shrink_to(2 * len, |&slot| entries[at(slot)].0.place());
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Fingerprint, &V)> {
        self.entries.iter().map(|(key, value)| (*key, value))
    }
}

impl<V: Copy> Table<V> {
    /// A table of these entries. If a key comes twice, `join` makes one value of both.
    ///
    /// They are indexed all at once. If they were indexed one by one, between other work, nothing would be in a cache.
    pub(crate) fn of(mut entries: Vec<(Fingerprint, V)>, join: impl Fn(V, V) -> V) -> Self {
        let mut index = HashTable::with_capacity(entries.len());
        let mut kept = 0;
        for next in 0..entries.len() {
            let (key, value) = entries[next];
            match index.find(key.place(), |&slot| entries[at(slot)].0 == key) {
                Some(&slot) => entries[at(slot)].1 = join(entries[at(slot)].1, value),
                None => {
                    entries[kept] = (key, value);
                    index.insert_unique(key.place(), slot(kept), |&slot| entries[at(slot)].0.place());
                    kept += 1;
                }
            }
        }
        entries.truncate(kept);
        entries.shrink_to_fit();
        Self { entries, index }
    }

    /// Keeps the entries for which `keep` is true, and gives the memory of the others back. Visits every entry.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(Fingerprint, &V) -> bool) {
        let before = self.entries.len();
        self.entries.retain(|(key, value)| keep(*key, value));
        if self.entries.len() < before {
            // No key comes twice.
            *self = Self::of(mem::take(&mut self.entries), |one, _| one);
        }
    }
}

impl<V> fmt::Debug for Table<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("len", &self.len()).finish()
    }
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            index: HashTable::new(),
        }
    }
}

/// Tables of fewer entries keep what they have.
const MIN_SHRINK: usize = 64;

/// Where the entry of an index slot lies.
const fn at(slot: u32) -> usize {
    slot as usize
}

/// The index slot of an entry.
fn slot(at: usize) -> u32 {
    u32::try_from(at).expect("a table holds fewer than 2^32 entries")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::model::key::Key;

    #[derive(Clone, Debug)]
    enum Probe {
        Put(u8, u32),
        Remove(u8),
        RetainEven,
    }

    fn steps() -> impl Strategy<Value = Vec<Probe>> {
        let step = prop_oneof![
            20 => (any::<u8>(), any::<u32>()).prop_map(|(key, value)| Probe::Put(key, value)),
            12 => any::<u8>().prop_map(Probe::Remove),
            1 => Just(Probe::RetainEven),
        ];
        proptest::collection::vec(step, 0..400)
    }

    fn fingerprint(key: u8) -> Fingerprint {
        Key::token(&key.to_string()).fingerprint()
    }

    /// Memory is held twice over, so that it is not doubled at each step; and not moved for each entry.
    #[test]
    fn grows_by_a_quarter_at_a_time() {
        let mut table = Table::default();
        let (mut moves, mut most) = (0, 0);
        for n in 0..10_000 {
            let before = table.entries.capacity();
            table.insert_new(Key::token(&n.to_string()).fingerprint(), ());
            let after = table.entries.capacity();
            moves += usize::from(after != before);
            assert!(before < 32 || after * 4 <= before * 5 + 4, "from {before} to {after}");
            most = most.max(after);
        }
        assert!(moves < 40 && most <= 12_500, "{moves} moves, room for {most}");
    }

    #[test]
    fn gives_back_what_it_does_not_need_any_more() {
        let mut table = Table::default();
        let keys: Vec<_> = (0..10_000).map(|n| Key::token(&n.to_string()).fingerprint()).collect();
        keys.iter().for_each(|key| table.insert_new(*key, ()));
        keys[100..].iter().for_each(|key| assert!(table.remove(*key).is_some()));
        assert!(table.entries.capacity() <= 400, "{}", table.entries.capacity());
        assert!(table.index.capacity() <= 900, "{}", table.index.capacity());
        assert!(keys[..100].iter().all(|key| table.get(*key).is_some()));
    }

    #[test]
    fn keeps_what_it_may_need_again() {
        let keys: Vec<_> = (0..1_000).map(|n| Key::token(&n.to_string()).fingerprint()).collect();
        for (entries, removed, kept) in [(1_000, 600, 1_000), (64, 63, 64), (1_000, 751, 498)] {
            let held = keys[..entries].iter().map(|key| (*key, ()));
            let mut table = Table::of(held.collect(), |one, ()| one);
            keys[..removed]
                .iter()
                .for_each(|key| assert!(table.remove(*key).is_some()));
            assert_eq!(table.entries.capacity(), kept, "{entries} less {removed}");
            assert!(table.index.capacity() >= kept, "{entries} less {removed}");
        }
    }

    proptest! {
        #[test]
        fn behaves_as_a_hash_map(steps in steps()) {
            let mut table = Table::default();
            let mut model = HashMap::new();
            for step in steps {
                match step {
                    Probe::Put(key, value) => {
                        model.insert(key, value);
                        match table.get_mut(fingerprint(key)) {
                            Some(slot) => *slot = value,
                            None => table.insert_new(fingerprint(key), value),
                        }
                    }
                    Probe::Remove(key) => prop_assert_eq!(table.remove(fingerprint(key)), model.remove(&key)),
                    Probe::RetainEven => {
                        table.retain(|_, value| value % 2 == 0);
                        model.retain(|_, value| *value % 2 == 0);
                    }
                }
                prop_assert_eq!(table.len(), model.len());
            }
            for key in 0..=u8::MAX {
                prop_assert_eq!(table.get(fingerprint(key)), model.get(&key));
            }
            let held: Vec<_> = (0..table.len()).map_while(|position| table.at(position)).collect();
            prop_assert!(held.into_iter().eq(table.iter()));
        }

        #[test]
        fn made_at_once_it_holds_what_comes_of_each_key(entries in proptest::collection::vec((0..40_u8, any::<u16>()), 0..200)) {
            let mut model = HashMap::new();
            for (key, value) in &entries {
                *model.entry(*key).or_insert(0) += u32::from(*value);
            }
            let entries = entries.iter().map(|(key, value)| (fingerprint(*key), u32::from(*value)));
            let table = Table::of(entries.collect(), |one, other| one + other);
            prop_assert_eq!(table.len(), model.len());
            for key in 0..=u8::MAX {
                prop_assert_eq!(table.get(fingerprint(key)), model.get(&key));
            }
        }
    }
}
