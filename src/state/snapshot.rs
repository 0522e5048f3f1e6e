//! The newest verified revocation list, immutable.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::mem;

use crate::model::event::Revocation;
use crate::model::key::{Fingerprint, Key, KeyKind};
use crate::model::log_place::LogPosition;
use crate::model::timestamp::Timestamp;
use crate::state::key_state::KeyState;
use crate::state::listed::Listed;
use crate::state::moment::Moment;
use crate::state::spared_keys::{SparedKeys, SparingCutOff};
use crate::state::table::Table;

/// Holds a revocation list that is verified and indexed, ready to be installed.
///
/// The builder of a list vouches for it: verify the list's signature first. An entry takes 24 bytes and some 5 to 11 of
/// index; no text is held.
///
/// ```
/// use tower_revocation::{Key, Revocation, RevocationList, Timestamp};
///
/// let at = Timestamp::from_unix_secs(1_767_225_720);
/// let list = RevocationList::builder(Timestamp::from_unix_secs(1_767_226_000))
///     .with_entry(&Revocation::block(Key::token("01KDVDNA09Q5HAD7MTFBDK3NYZ")).at(at))
///     .build();
/// assert_eq!(list.entries(), 1);
/// ```
#[derive(Clone)]
pub struct RevocationList {
    tables: [Table<Listed>; KeyKind::TABLES],
    everything: Option<Listed>,
    /// What the cut-offs of some keys spare.
    spared: Table<SparedKeys>,
    issued_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    covers: Vec<LogPosition>,
}

impl RevocationList {
    /// Starts a list that was issued at `issued_at` (its `iat` or `thisUpdate`).
    #[must_use]
    pub fn builder(issued_at: Timestamp) -> RevocationListBuilder {
        RevocationListBuilder {
            snapshot: Self {
                issued_at: Some(issued_at),
                ..Self::empty()
            },
            entries: Default::default(),
            sparing: Vec::new(),
        }
    }

    /// Returns how many keys the list carries.
    #[must_use]
    pub fn entries(&self) -> usize {
        let issuer_wide = usize::from(self.everything.is_some());
        self.tables.iter().map(Table::len).sum::<usize>() + issuer_wide
    }

    /// Returns how many bytes of memory the list takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.tables.iter().map(Table::bytes).sum::<usize>() + self.spared.bytes()
    }

    /// Returns when the list was issued; `None` for the empty list of an issuer that has signed none yet.
    #[must_use]
    pub const fn issued_at(&self) -> Option<Timestamp> {
        self.issued_at
    }

    /// Returns up to when the list may be fetched or confirmed (its `exp` or `nextUpdate`), if it says so. The policy
    /// decides how long it may be *used*.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// Returns how much of the issuer's own logs the list takes into account, if it says so: whatever those messages revoked is in
    /// it, as far as it is still of any effect.
    #[must_use]
    pub fn covers(&self) -> &[LogPosition] {
        &self.covers
    }

    /// The list of an issuer that has revoked nothing yet, and has therefore signed none.
    pub(crate) fn empty() -> Self {
        Self {
            tables: Default::default(),
            everything: None,
            spared: Table::default(),
            issued_at: None,
            expires_at: None,
            covers: Vec::new(),
        }
    }

    /// What the list says of `key`.
    pub(crate) fn get(&self, key: &Key) -> Option<KeyState> {
        let entry = match key.kind().table() {
            Some(table) => self.tables[table].get(key.fingerprint()),
            None => self.everything.as_ref(),
        };
        entry.map(Listed::key_state)
    }

    /// The cut-off of `key`, and what it spares.
    pub(crate) fn cut_off(&self, key: &Key) -> SparingCutOff<'_> {
        SparingCutOff {
            at: self.get(key).map(|key_state| key_state.cut_off()).unwrap_or_default(),
            spares: self.spared(key),
        }
    }

    /// What the cut-off of `key` spares. Costs a comparison while none spares anything.
    #[inline]
    pub(crate) fn spared(&self, key: &Key) -> Option<&SparedKeys> {
        self.spared.get(key.fingerprint())
    }

    pub(crate) const fn table(&self, index: usize) -> &Table<Listed> {
        &self.tables[index]
    }

    /// Whether both carry the same keys with the same times.
    pub(crate) fn says_the_same_as(&self, other: &Self) -> bool {
        let tables = self.tables.iter().zip(&other.tables);
        self.everything == other.everything
            && self.refuses_no_more_than(other)
            && other.refuses_no_more_than(self)
            && self.covers_all_of(other)
            && other.covers_all_of(self)
            && tables.into_iter().all(|(ours, theirs)| {
                ours.len() == theirs.len() && ours.iter().all(|(key, entry)| theirs.get(key) == Some(entry))
            })
    }

    /// Whether it says all that the other does.
    pub(crate) fn says_all_of(&self, other: &Self) -> bool {
        let says = |ours: Option<&Listed>, theirs: &Listed| ours.is_some_and(|ours| ours.join(*theirs) == *ours);
        let tables = self.tables.iter().zip(&other.tables);
        let everything = other.everything.as_ref();
        everything.is_none_or(|theirs| says(self.everything.as_ref(), theirs))
            && other.refuses_no_more_than(self)
            && self.covers_all_of(other)
            && tables
                .into_iter()
                .all(|(ours, theirs)| theirs.iter().all(|(key, theirs)| says(ours.get(key), theirs)))
    }

    /// The entries of both lists, for two lists of the same second: nobody can tell which is newer.
    pub(crate) fn union(mut self, other: &Self) -> Self {
        let sparing = self.spared.iter().chain(other.spared.iter());
        let spared = sparing.filter_map(|(fingerprint, _)| {
            let key = Key::of_fingerprint(fingerprint);
            let spared = SparedKeys::join(self.cut_off(&key), other.cut_off(&key))?;
            Some((fingerprint, spared))
        });
        self.spared = Table::of(spared.collect(), |one, _| one);
        for (table, entries) in other.tables.iter().enumerate() {
            for (fingerprint, entry) in entries.iter() {
                self.put(Some(table), fingerprint, *entry);
            }
        }
        if let Some(entry) = other.everything {
            self.put(None, Key::everything().fingerprint(), entry);
        }
        for theirs in &other.covers {
            match self.covers.iter_mut().find(|ours| ours.log == theirs.log) {
                // Together they say all that either of them does.
                Some(ours) => *ours = (*ours).max(*theirs),
                None => self.covers.push(*theirs),
            }
        }
        self
    }

    /// Whether each key that the other spares is refused no longer by this one.
    fn refuses_no_more_than(&self, other: &Self) -> bool {
        other.spared.iter().all(|(fingerprint, spares)| {
            let key = Key::of_fingerprint(fingerprint);
            let (at, spares) = (self.cut_off(&key).at, Some(spares));
            self.cut_off(&key).refuses_no_more_than(&SparingCutOff { at, spares })
        })
    }

    /// Whether it takes into account all that the other does.
    fn covers_all_of(&self, other: &Self) -> bool {
        let covers = |theirs: &LogPosition| self.covers.iter().any(|ours| ours.log == theirs.log && ours >= theirs);
        other.covers.iter().all(covers)
    }

    fn put(&mut self, table: Option<usize>, fingerprint: Fingerprint, entry: Listed) {
        let known = match table {
            Some(table) => self.tables[table].get_mut(fingerprint),
            None => self.everything.as_mut(),
        };
        match (known, table) {
            (Some(known), _) => *known = known.join(entry),
            (None, Some(table)) => self.tables[table].insert_new(fingerprint, entry),
            (None, None) => self.everything = Some(entry),
        }
    }
}

impl fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationList")
            .field("entries", &self.entries())
            .field("issued_at", &self.issued_at)
            .finish()
    }
}

/// Builds a [`RevocationList`] entry by entry.
pub struct RevocationListBuilder {
    /// The list without its tables.
    snapshot: RevocationList,
    /// The entries of its tables.
    entries: [Vec<(Fingerprint, Listed)>; KeyKind::TABLES],
    /// The cut-offs that spare something. They are entries as well.
    sparing: Vec<(Key, Listed, SparedKeys)>,
}

impl RevocationListBuilder {
    /// Reserves room for `entries` more keys of `kind` at once, so that a large list is not moved while it grows.
    /// Defaults to none.
    #[must_use]
    pub fn with_capacity(mut self, kind: KeyKind, entries: usize) -> Self {
        if let Some(table) = kind.table() {
            self.entries[table].reserve_exact(entries);
        }
        self
    }

    /// Sets when the list was issued, for formats that say so after the entries. Defaults to the time given to
    /// [`RevocationList::builder`]. An entry without a time of its own gets the one that was set when it was added.
    #[must_use]
    pub const fn with_issued_at(mut self, issued_at: Timestamp) -> Self {
        self.snapshot.issued_at = Some(issued_at);
        self
    }

    /// Sets up to when the list may be fetched or confirmed. Defaults to no limit.
    #[must_use]
    pub const fn with_expiry(mut self, expires_at: Timestamp) -> Self {
        self.snapshot.expires_at = Some(expires_at);
        self
    }

    /// Adds how much of one of the issuer's own logs the list takes into account. A gap in what was read of that log is closed by a
    /// list that covers it. Defaults to none: then a gap is closed by a list that was asked for after it.
    ///
    /// # Security
    ///
    /// What the list claims to cover and does not carry is never asked for again.
    #[must_use]
    pub fn covering(mut self, position: LogPosition) -> Self {
        self.snapshot.covers.push(position);
        self
    }

    /// Adds an entry; see [`push`](Self::push).
    #[must_use]
    pub fn with_entry(mut self, entry: &Revocation) -> Self {
        self.push(entry);
        self
    }

    /// Adds an entry in place. A time of a whole second stands for all of it; an entry without one took effect when the list
    /// was issued. If a key is named twice, one entry remains: the later time counts, and a block outweighs a cut-off. Entries have
    /// no time to be forgotten: an entry is gone when a newer list does not carry it.
    pub fn push(&mut self, entry: &Revocation) {
        let at = entry.effective_at().or(self.snapshot.issued_at).unwrap_or_default();
        let listed = Listed::new(entry.effect(), at, entry.reason());
        let key = entry.key();
        match SparedKeys::of_revocation(entry) {
            Some(spared) => self.sparing.push((*key, listed, spared)),
            None => self.put(*key, listed),
        }
    }

    fn put(&mut self, key: Key, listed: Listed) {
        match key.kind().table() {
            Some(table) => self.entries[table].push((key.fingerprint(), listed)),
            None => self.snapshot.put(None, key.fingerprint(), listed),
        }
    }

    /// What is spared by all cut-offs of a key together. Looks at all entries, if any spares something.
    fn take_spared(&mut self) -> Table<SparedKeys> {
        let sparing = mem::take(&mut self.sparing);
        if sparing.is_empty() {
            return Table::default();
        }
        let mut known: HashMap<Key, (Moment, Option<SparedKeys>)> = HashMap::new();
        let mut add = |key: Key, listed: &Listed, spares: Option<&SparedKeys>| {
            let known = known.entry(key).or_default();
            let (at, before) = (listed.key_state().cut_off(), known.1);
            let before = SparingCutOff {
                at: known.0,
                spares: before.as_ref(),
            };
            *known = (known.0.max(at), SparedKeys::join(before, SparingCutOff { at, spares }));
        };
        for (key, listed, spared) in &sparing {
            add(*key, listed, Some(spared));
        }
        let names: HashSet<Fingerprint> = sparing.iter().map(|(key, ..)| key.fingerprint()).collect();
        for (key, listed) in self.entries.iter().flatten().filter(|(key, _)| names.contains(key)) {
            add(Key::of_fingerprint(*key), listed, None);
        }
        if let Some(listed) = self
            .snapshot
            .everything
            .filter(|_| names.contains(&Key::everything().fingerprint()))
        {
            add(Key::everything(), &listed, None);
        }
        for (key, listed, _) in sparing {
            self.put(key, listed);
        }
        let spared = known
            .into_iter()
            .filter_map(|(key, (_, spared))| Some((key.fingerprint(), spared?)));
        Table::of(spared.collect(), |one, _| one)
    }

    /// Builds the list. Takes time proportional to its size, since it is indexed here.
    #[must_use]
    pub fn build(mut self) -> RevocationList {
        let spared = self.take_spared();
        RevocationList {
            spared,
            tables: self.entries.map(|entries| Table::of(entries, Listed::join)),
            ..self.snapshot
        }
    }
}

impl fmt::Debug for RevocationListBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationListBuilder")
            .field("issued_at", &self.snapshot.issued_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{Effect, Reason};

    fn secs(secs: u64) -> Timestamp {
        Timestamp::from_unix_secs(secs)
    }

    #[test]
    fn an_entry_is_small() {
        assert_eq!(size_of::<(Fingerprint, Listed)>(), 24);
    }

    #[test]
    fn a_key_named_twice_is_kept_as_the_stricter_of_both() {
        let key = Key::subject("s");
        let list = RevocationList::builder(secs(100))
            .with_entry(&Revocation::block(key).at(secs(5)))
            .with_entry(&Revocation::cut_off(key).at(secs(50)))
            .build();
        assert_eq!(list.entries(), 1);
        assert_eq!(
            list.get(&key),
            Some(KeyState::listed(Effect::Block, secs(50), Reason::Unspecified, true))
        );
    }

    #[test]
    fn what_is_more_than_a_rotation_in_either_entry_is_so_in_both() {
        let key = Key::token("t");
        let rotated = Revocation::block(key).at(secs(5)).because(Reason::Superseded);
        let stolen = Revocation::block(key).at(secs(5)).because(Reason::KeyCompromise);
        for (one, two, is_withdrawn) in [
            (rotated, stolen, true),
            (stolen, rotated, true),
            (rotated, rotated, false),
        ] {
            let list = RevocationList::builder(secs(9))
                .with_entry(&one)
                .with_entry(&two)
                .build();
            assert_eq!(list.get(&key).unwrap().withdraws(Some(secs(7))), is_withdrawn);
        }
    }

    #[test]
    fn says_all_of_another_if_that_adds_nothing() {
        let list = |entries: &[Revocation]| {
            let builder = RevocationList::builder(secs(100));
            entries.iter().fold(builder, RevocationListBuilder::with_entry).build()
        };
        let (t, s, all) = (Key::token("t"), Key::subject("s"), Key::everything());
        let entries = [
            Revocation::block(t).at(secs(5)),
            Revocation::cut_off(s).at(secs(5)),
            Revocation::cut_off(all).at(secs(5)),
        ];
        let whole = list(&entries);
        assert!(whole.says_all_of(&whole) && whole.says_all_of(&list(&[])));
        for without in 0..3 {
            let mut fewer = entries.to_vec();
            fewer.remove(without);
            let fewer = list(&fewer);
            assert!(whole.says_all_of(&fewer) && !fewer.says_all_of(&whole));
        }
        for stricter in [
            Revocation::block(t).at(secs(6)),
            Revocation::block(s).at(secs(5)),
            Revocation::cut_off(all).at(secs(6)),
        ] {
            assert!(!whole.says_all_of(&list(&[stricter])), "{stricter:?}");
        }
        assert!(whole.says_all_of(&list(&[
            Revocation::block(t).at(secs(4)),
            Revocation::cut_off(t).at(secs(5))
        ])));
    }

    #[test]
    fn says_how_much_it_carries_and_not_what() {
        let builder = RevocationList::builder(secs(100)).with_entry(&Revocation::block(Key::token("t")));
        let issued_at = format!("{:?}", Some(secs(100)));
        assert_eq!(
            format!("{builder:?}"),
            format!("RevocationListBuilder {{ issued_at: {issued_at}, .. }}")
        );
        assert_eq!(
            format!("{:?}", builder.build()),
            format!("RevocationList {{ entries: 1, issued_at: {issued_at} }}")
        );
    }

    /// Room used to be made by a new table: entries pushed before were gone, and what they revoked passed.
    #[test]
    fn making_room_keeps_what_is_there() {
        let key = Key::token("t");
        let list = RevocationList::builder(secs(100))
            .with_entry(&Revocation::block(key))
            .with_capacity(KeyKind::Token, 1_000)
            .with_entry(&Revocation::block(Key::token("u")))
            .with_capacity(KeyKind::Everything, 1)
            .build();
        assert_eq!(list.entries(), 2);
        assert!(list.get(&key).is_some() && list.get(&Key::token("u")).is_some());
    }

    #[test]
    fn milliseconds_taken_for_seconds_still_revoke() {
        let key = Key::token("t");
        let list = RevocationList::builder(secs(100))
            .with_entry(&Revocation::block(key).at(secs(1_767_225_600_000)))
            .build();
        assert_eq!(list.get(&key).unwrap().refuses(Some(secs(200))), Some(Effect::Block));
        let list = RevocationList::builder(secs(100))
            .with_entry(&Revocation::cut_off(key).at(secs(1_767_225_600_000)))
            .build();
        let younger = Some(secs(1_767_225_600));
        assert_eq!(list.get(&key).unwrap().refuses(younger), Some(Effect::CutOff));
    }

    #[test]
    fn an_undated_entry_took_effect_when_the_list_was_issued() {
        let key = Key::subject("s");
        let list = RevocationList::builder(secs(100))
            .with_entry(&Revocation::cut_off(key))
            .build();
        let key_state = list.get(&key).unwrap();
        assert_eq!(key_state.refuses(Some(secs(100))), Some(Effect::CutOff));
        assert_eq!(key_state.refuses(Some(secs(101))), None);
    }

    #[test]
    fn a_union_carries_what_either_carries() {
        let (a, b, both) = (Key::token("a"), Key::token("b"), Key::everything());
        let one = RevocationList::builder(secs(9))
            .with_entry(&Revocation::block(a))
            .with_entry(&Revocation::cut_off(both).at(secs(3)))
            .build();
        let two = RevocationList::builder(secs(9))
            .with_entry(&Revocation::block(b))
            .with_entry(&Revocation::cut_off(both).at(secs(4)))
            .build();
        let union = one.union(&two);
        assert_eq!(union.entries(), 3);
        assert!(union.get(&a).is_some() && union.get(&b).is_some());
        assert_eq!(
            union.get(&both),
            Some(KeyState::listed(Effect::CutOff, secs(4), Reason::Unspecified, true))
        );
    }
}
