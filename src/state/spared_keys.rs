//! Which keys the cut-offs of another key spare.

use crate::model::event::{Event, Revocation};
use crate::model::key::Key;
use crate::model::timestamp::Timestamp;
use crate::state::moment::Moment;

/// The keys that the greatest cut-off of a key spares, each with the greatest cut-off that does not spare it.
///
/// With the cut-off itself they are a function: up to when what presents a key is refused. Two of these join by the greater value for
/// each key, so that the order, repetition and lateness of events cannot matter here either. There are never more of them than one
/// statement may spare, since a later cut-off refuses what it does not spare itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SparedKeys {
    /// In the order of the fingerprints.
    floors: [Option<(Key, Moment)>; Revocation::MOST_SPARED],
}

impl SparedKeys {
    /// What an event spares, if it spares anything.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        match event {
            Event::Revoke(revocation) => Self::of_revocation(revocation),
            Event::Reinstate(_) => None,
        }
    }

    pub(crate) fn of_revocation(revocation: &Revocation) -> Option<Self> {
        let keys = revocation.spared().iter();
        Self::collect(keys.map(|key| (*key, Moment::NEVER)))
    }

    /// What two cut-offs of one key spare together.
    pub(crate) fn join(one: SparingCutOff<'_>, other: SparingCutOff<'_>) -> Option<Self> {
        let cut_off = one.at.max(other.at);
        let keys = [one, other]
            .into_iter()
            .filter_map(|side| side.spares)
            .flat_map(Self::iter);
        let floors = keys.map(|(key, _)| (key, one.floor(key).max(other.floor(key))));
        Self::collect(floors.filter(|(_, floor)| *floor < cut_off))
    }

    /// Up to when what presents this key is refused, if it is spared.
    pub(super) fn floor(&self, key: Key) -> Option<Moment> {
        self.iter().find(|(known, _)| *known == key).map(|(_, floor)| floor)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, Moment)> {
        self.floors.iter().flatten().copied()
    }

    /// Keeps as many as there is room for. Those that are left out are refused.
    pub(crate) fn collect(floors: impl Iterator<Item = (Key, Moment)>) -> Option<Self> {
        let mut kept = Self::default();
        let mut count = 0;
        for (key, floor) in floors {
            if kept.floor(key).is_none() && count < kept.floors.len() {
                kept.floors[count] = Some((key, floor));
                count += 1;
            }
        }
        kept.floors[..count].sort_unstable_by_key(|floor| floor.map(|(key, _)| key.fingerprint()));
        (count > 0).then_some(kept)
    }
}

/// One side of what is known of a key: its cut-off, and what that spares.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SparingCutOff<'s> {
    pub(crate) at: Moment,
    pub(crate) spares: Option<&'s SparedKeys>,
}

impl SparingCutOff<'_> {
    /// Up to when what presents this key is refused.
    pub(super) fn floor(&self, key: Key) -> Moment {
        let spared = self.spares.and_then(|spares| spares.floor(key));
        spared.unwrap_or(self.at)
    }

    /// Whether it refuses nothing that the other does not refuse, if its time is no greater.
    pub(crate) fn refuses_no_more_than(&self, other: &Self) -> bool {
        let spared = other.spares.into_iter().flat_map(SparedKeys::iter);
        self.at <= other.at && spared.into_iter().all(|(key, floor)| self.floor(key) <= floor)
    }
}

/// Whether one of these keys is spared by all cut-offs that concern what was issued at `issued_at`: by those of events and those of the
/// list.
pub(super) fn are_spared<'k>(
    keys: impl IntoIterator<Item = &'k Key>,
    issued_at: Option<Timestamp>,
    sides: [SparingCutOff<'_>; 2],
) -> bool {
    let [said, listed] = sides;
    let floor = |key: &Key| said.floor(*key).max(listed.floor(*key));
    keys.into_iter().any(|key| !floor(key).cuts(issued_at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::at(Timestamp::from_unix_millis(millis))
    }

    fn keys() -> [Key; 6] {
        ["a", "b", "c", "d", "e", "f"].map(Key::session)
    }

    /// A cut-off at a time, and which of the keys it spares.
    type Said = (u64, Vec<usize>);

    fn said() -> impl Strategy<Value = Said> {
        (1..8_u64, prop::collection::vec(0..6_usize, 0..=4))
    }

    fn spares((_, spared): &Said) -> Option<SparedKeys> {
        SparedKeys::collect(spared.iter().map(|key| (keys()[*key], Moment::NEVER)))
    }

    fn add(known: (Moment, Option<SparedKeys>), said: &Said) -> (Moment, Option<SparedKeys>) {
        let side = |at, spares| SparingCutOff { at, spares };
        let spares = spares(said);
        let joined = SparedKeys::join(side(known.0, known.1.as_ref()), side(at(said.0), spares.as_ref()));
        (known.0.max(at(said.0)), joined)
    }

    proptest! {
        /// Whatever was said in whatever order, a key is refused up to the greatest cut-off that does not spare it.
        #[test]
        fn a_key_is_refused_by_each_cut_off_that_does_not_spare_it(all in prop::collection::vec(said(), 0..6)) {
            let known = all.iter().fold((Moment::NEVER, None), add);
            prop_assert_eq!(all.iter().rev().fold((Moment::NEVER, None), add), known, "the order matters");
            let twice = all.iter().chain(&all).fold((Moment::NEVER, None), add);
            prop_assert_eq!(twice, known, "repetition matters");
            let side = SparingCutOff { at: known.0, spares: known.1.as_ref() };
            for (number, key) in keys().iter().enumerate() {
                let refusing = all.iter().filter(|(_, spared)| !spared.contains(&number));
                let expected = refusing.map(|(millis, _)| at(*millis)).max().unwrap_or_default();
                prop_assert_eq!(side.floor(*key), expected);
            }
        }

        #[test]
        fn what_covers_another_refuses_all_that_it_does(all in prop::collection::vec(said(), 1..5), other in said()) {
            let known = all.iter().fold((Moment::NEVER, None), add);
            let more = add(known, &other);
            let side = |known: &(Moment, Option<SparedKeys>)| known.0;
            let one = SparingCutOff { at: side(&known), spares: known.1.as_ref() };
            let two = SparingCutOff { at: side(&more), spares: more.1.as_ref() };
            prop_assert!(one.refuses_no_more_than(&two));
            prop_assert_eq!(two.refuses_no_more_than(&one), known == more);
        }
    }
}
