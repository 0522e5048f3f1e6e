//! What events have said.

use std::num::NonZeroUsize;

use crate::model::key::{Key, KeyKind};
use crate::state::key_state::KeyState;
use crate::state::snapshot::RevocationList;
use crate::state::table::Table;

/// What events have said: a [`KeyState`] for each key, in one table for each kind of key.
///
/// Pure: no clock, no locks. The store holds two of these, and writes to the one that no reader can see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overlay {
    tables: [Table<KeyState>; KeyKind::TABLES],
    everything: Option<KeyState>,
}

impl Overlay {
    /// An overlay of these states of keys. Several states of one key are joined.
    #[cfg_attr(not(feature = "journal"), expect(dead_code, reason = "only a journal restores"))]
    pub(crate) fn of(key_states: impl IntoIterator<Item = (Key, KeyState)>) -> Self {
        let mut everything: Option<KeyState> = None;
        let mut entries: [Vec<_>; KeyKind::TABLES] = Default::default();
        for (key, key_state) in key_states {
            match key.kind().table() {
                Some(table) => entries[table].push((key.fingerprint(), key_state)),
                None => everything = Some(everything.map_or(key_state, |known| known.join(key_state))),
            }
        }
        Self {
            tables: entries.map(|entries| Table::of(entries, KeyState::join)),
            everything,
        }
    }

    /// How many keys are held. The issuer-wide one takes no room.
    pub(crate) fn len(&self) -> usize {
        self.tables.iter().map(Table::len).sum()
    }

    /// How many bytes of memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.tables.iter().map(Table::bytes).sum()
    }

    /// All that is known.
    #[cfg(feature = "journal")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &KeyState)> {
        let entries = self.tables.iter().flat_map(Table::iter);
        let known = entries.map(|(fingerprint, key_state)| (Key::of_fingerprint(fingerprint), key_state));
        known.chain(self.everything.as_ref().map(|key_state| (Key::everything(), key_state)))
    }

    /// What is known of `key`.
    #[inline]
    pub(crate) fn get(&self, key: &Key) -> Option<&KeyState> {
        match key.kind().table() {
            Some(table) => self.tables[table].get(key.fingerprint()),
            None => self.everything.as_ref(),
        }
    }

    /// Adds to what is known of `key`. A known key always finds room: only a new one can be refused.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if the key is new and `capacity` keys are held. Nothing is evicted: if a revocation made room
    /// for another, its credential would pass again.
    pub(crate) fn merge(&mut self, key: &Key, key_state: KeyState, capacity: NonZeroUsize) -> Result<(), Full> {
        let Some(table) = key.kind().table() else {
            self.everything = Some(self.everything.map_or(key_state, |known| known.join(key_state)));
            return Ok(());
        };
        if let Some(known) = self.tables[table].get_mut(key.fingerprint()) {
            *known = known.join(key_state);
            return Ok(());
        }
        if self.len() >= capacity.get() {
            return Err(Full);
        }
        self.tables[table].insert_new(key.fingerprint(), key_state);
        Ok(())
    }

    /// Adds all that `other` says, without regard to the capacity: it was accepted before.
    pub(crate) fn restore(&mut self, other: &Self) {
        for (table, others) in self.tables.iter_mut().zip(&other.tables) {
            if table.len() == 0 {
                *table = others.clone();
                continue;
            }
            for (key, key_state) in others.iter() {
                match table.get_mut(key) {
                    Some(known) => *known = known.join(*key_state),
                    None => table.insert_new(key, *key_state),
                }
            }
        }
        if let Some(key_state) = other.everything {
            self.everything = Some(self.everything.map_or(key_state, |known| known.join(key_state)));
        }
    }

    /// Forgets what may be forgotten by `now`, in seconds on the clock by which the states of keys were made.
    pub(crate) fn forget(&mut self, now: u32) {
        for table in &mut self.tables {
            table.retain(|_, key_state| key_state.forget_at() > now);
        }
        self.everything = self.everything.filter(|key_state| key_state.forget_at() > now);
    }

    /// Drops what `snapshot` says at least as strictly about the very same key (invariant 3).
    pub(crate) fn yield_to(&mut self, snapshot: &RevocationList) {
        for (index, table) in self.tables.iter_mut().enumerate() {
            let listed = snapshot.table(index);
            if listed.len() > 0 {
                table.retain(|key, key_state| {
                    !listed
                        .get(key)
                        .is_some_and(|entry| key_state.is_covered_by(&entry.key_state()))
                });
            }
        }
    }
}

/// The overlay holds as many keys as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{Effect, Event, Revocation};
    use crate::model::timestamp::Timestamp;

    const ONE: NonZeroUsize = NonZeroUsize::MIN;

    fn block(key: Key, millis: u64, forget_at: u32) -> KeyState {
        let event = Event::from(Revocation::block(key).at(Timestamp::from_unix_millis(millis)));
        KeyState::of(&event, Timestamp::default(), forget_at)
    }

    #[test]
    fn what_is_restored_is_joined_with_what_is_there_and_needs_no_room() {
        let (one, two, all) = (Key::token("one"), Key::token("two"), Key::everything());
        let mut overlay = Overlay::default();
        overlay.merge(&one, block(one, 5, 9), ONE).unwrap();
        let before = [block(one, 1, 10), block(two, 2, 9), block(all, 3, 9), block(two, 3, 9)];
        let stored = Overlay::of([one, two, all, two].into_iter().zip(before));
        overlay.restore(&stored);
        assert_eq!(overlay.len(), 2);
        assert_eq!(overlay.get(&one), Some(&block(one, 5, 10)));
        assert_eq!(overlay.get(&two), Some(&block(two, 3, 9)));
        assert_eq!(overlay.get(&all), Some(&block(all, 3, 9)));
        let mut empty = Overlay::default();
        empty.restore(&stored);
        assert_eq!((empty.len(), empty.get(&one)), (2, Some(&block(one, 1, 10))));
    }

    #[test]
    fn at_capacity_new_keys_are_refused_and_known_ones_and_everything_are_not() {
        let mut overlay = Overlay::default();
        let (known, new) = (Key::token("known"), Key::subject("new"));
        overlay.merge(&known, block(known, 1, 9), ONE).unwrap();
        assert_eq!(overlay.merge(&new, block(new, 1, 9), ONE), Err(Full));
        overlay.merge(&known, block(known, 2, 9), ONE).unwrap();
        overlay
            .merge(&Key::everything(), block(Key::everything(), 1, 9), ONE)
            .unwrap();
        assert_eq!(overlay.len(), 1);
        assert!(overlay.get(&new).is_none());
        assert!(overlay.get(&known).is_some());
    }

    #[test]
    fn forgets_what_is_due_and_nothing_else() {
        let mut overlay = Overlay::default();
        let capacity = NonZeroUsize::new(10).unwrap();
        for (key, forget_at) in [(Key::token("a"), 5), (Key::token("b"), 6), (Key::everything(), 5)] {
            overlay.merge(&key, block(key, 1, forget_at), capacity).unwrap();
        }
        overlay.forget(4);
        assert_eq!(overlay.len(), 2);
        overlay.forget(5);
        assert_eq!(overlay.len(), 1);
        assert!(overlay.get(&Key::token("b")).is_some());
        assert!(overlay.get(&Key::everything()).is_none());
    }

    #[test]
    fn yields_only_to_the_same_key_said_at_least_as_strictly() {
        let mut overlay = Overlay::default();
        let capacity = NonZeroUsize::new(10).unwrap();
        let (same, later, absent) = (Key::token("same"), Key::token("later"), Key::token("absent"));
        for (key, millis) in [
            (same, 5_700),
            (later, 6_000),
            (absent, 1_000),
            (Key::subject("same"), 1_000),
        ] {
            overlay.merge(&key, block(key, millis, 9), capacity).unwrap();
        }
        let at = Timestamp::from_unix_secs(5);
        let snapshot = RevocationList::builder(Timestamp::from_unix_secs(9))
            .with_entry(&Revocation::block(same).at(at))
            .with_entry(&Revocation::block(later).at(at))
            .build();
        overlay.yield_to(&snapshot);
        assert!(overlay.get(&same).is_none());
        for kept in [later, absent, Key::subject("same")] {
            assert_eq!(overlay.get(&kept).unwrap().refuses(None), Some(Effect::Block));
        }
    }
}
