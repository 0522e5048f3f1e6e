//! What events have said.

use std::num::NonZeroUsize;

use crate::model::key::{Key, KeyKind};
use crate::state::key_state::KeyState;
use crate::state::snapshot::RevocationList;
use crate::state::spared_keys::{SparedKeys, SparingCutOff};
use crate::state::table::Table;

/// What events have said: a [`KeyState`] for each key, in one table for each kind of key.
///
/// Pure: no clock, no locks. The store holds two of these, and writes to the one that no reader can see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overlay {
    tables: [Table<KeyState>; KeyKind::TABLES],
    everything: Option<KeyState>,
    /// What the cut-offs of some keys spare. Each of these keys is known above.
    spared: Table<SparedKeys>,
}

impl Overlay {
    /// An overlay of these states of keys, and of what their cut-offs spare. Several states of one key are joined; none of those that
    /// spare something comes twice.
    #[cfg_attr(not(feature = "journal"), expect(dead_code, reason = "only a journal restores"))]
    pub(crate) fn of(
        key_states: impl IntoIterator<Item = (Key, KeyState)>,
        spared: impl IntoIterator<Item = (Key, SparedKeys)>,
    ) -> Self {
        let spared = spared.into_iter().map(|(key, spared)| (key.fingerprint(), spared));
        let spared = Table::of(spared.collect(), |one, _| one);
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
            spared,
        }
    }

    /// How many keys are held. The issuer-wide one takes no room.
    pub(crate) fn len(&self) -> usize {
        self.tables.iter().map(Table::len).sum()
    }

    /// How many bytes of memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.tables.iter().map(Table::bytes).sum::<usize>() + self.spared.bytes()
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

    /// The cut-off of `key`, and what it spares.
    pub(crate) fn cut_off(&self, key: &Key) -> SparingCutOff<'_> {
        SparingCutOff {
            at: self.get(key).map(KeyState::cut_off).unwrap_or_default(),
            spares: self.spared(key),
        }
    }

    /// What the cut-off of `key` spares. Costs a comparison while none spares anything.
    #[inline]
    pub(crate) fn spared(&self, key: &Key) -> Option<&SparedKeys> {
        self.spared.get(key.fingerprint())
    }

    /// Adds to what is known of `key`, and what a cut-off spares. A known key always finds room: only a new one can be refused.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if the key is new and `capacity` keys are held. Nothing is evicted: if a revocation made room
    /// for another, its credential would pass again.
    pub(crate) fn merge(
        &mut self,
        key: &Key,
        key_state: KeyState,
        spares: Option<&SparedKeys>,
        capacity: NonZeroUsize,
    ) -> Result<(), Full> {
        let at = key_state.cut_off();
        let spared = (spares.is_some() || self.spared(key).is_some())
            .then(|| SparedKeys::join(self.cut_off(key), SparingCutOff { at, spares }));
        self.merge_state(key, key_state, capacity)?;
        if let Some(spared) = spared {
            self.set_spared(key, spared);
        }
        Ok(())
    }

    fn merge_state(&mut self, key: &Key, key_state: KeyState, capacity: NonZeroUsize) -> Result<(), Full> {
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

    fn set_spared(&mut self, key: &Key, spared: Option<SparedKeys>) {
        match (self.spared.get_mut(key.fingerprint()), spared) {
            (Some(known), Some(spared)) => *known = spared,
            (None, Some(spared)) => self.spared.insert_new(key.fingerprint(), spared),
            (Some(_), None) => drop(self.spared.remove(key.fingerprint())),
            (None, None) => {}
        }
    }

    /// Adds all that `other` says, without regard to the capacity: it was accepted before.
    pub(crate) fn restore(&mut self, other: &Self) {
        let sparing = self
            .spared
            .iter()
            .chain(other.spared.iter())
            .map(|(key, _)| Key::of_fingerprint(key));
        let sparing: Vec<_> = sparing
            .map(|key| (key, SparedKeys::join(self.cut_off(&key), other.cut_off(&key))))
            .collect();
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
        for (key, spared) in sparing {
            self.set_spared(&key, spared);
        }
    }

    /// Forgets what may be forgotten by `now`, in seconds on the clock by which the states of keys were made.
    pub(crate) fn forget(&mut self, now: u32) {
        for table in &mut self.tables {
            table.retain(|_, key_state| key_state.forget_at() > now);
        }
        self.everything = self.everything.filter(|key_state| key_state.forget_at() > now);
        self.forget_what_is_spared_from_nothing();
    }

    /// What is not known any more spares nothing.
    fn forget_what_is_spared_from_nothing(&mut self) {
        let mut spared = std::mem::take(&mut self.spared);
        spared.retain(|key, _| self.get(&Key::of_fingerprint(key)).is_some());
        self.spared = spared;
    }

    /// Drops what `snapshot` says at least as strictly about the very same key (invariant 3).
    pub(crate) fn yield_to(&mut self, snapshot: &RevocationList) {
        for (index, table) in self.tables.iter_mut().enumerate() {
            let listed = snapshot.table(index);
            if listed.len() > 0 {
                let spared = &self.spared;
                table.retain(|key, key_state| {
                    let (at, spares) = (key_state.cut_off(), spared.get(key));
                    let said = SparingCutOff { at, spares };
                    let is_covered = |entry: KeyState| {
                        key_state.is_covered_by(&entry)
                            && said.refuses_no_more_than(&snapshot.cut_off(&Key::of_fingerprint(key)))
                    };
                    !listed.get(key).is_some_and(|entry| is_covered(entry.key_state()))
                });
            }
        }
        self.forget_what_is_spared_from_nothing();
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
        overlay.merge(&one, block(one, 5, 9), None, ONE).unwrap();
        let before = [block(one, 1, 10), block(two, 2, 9), block(all, 3, 9), block(two, 3, 9)];
        let stored = Overlay::of([one, two, all, two].into_iter().zip(before), []);
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
        overlay.merge(&known, block(known, 1, 9), None, ONE).unwrap();
        assert_eq!(overlay.merge(&new, block(new, 1, 9), None, ONE), Err(Full));
        overlay.merge(&known, block(known, 2, 9), None, ONE).unwrap();
        overlay
            .merge(&Key::everything(), block(Key::everything(), 1, 9), None, ONE)
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
            overlay.merge(&key, block(key, 1, forget_at), None, capacity).unwrap();
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
            overlay.merge(&key, block(key, millis, 9), None, capacity).unwrap();
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
