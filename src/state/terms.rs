//! The terms of work in flight: by which revocations it can be reached.

use std::iter;

use crate::model::credential::Credential;
use crate::model::event::Effect;
use crate::model::key::{Key, KeyKind};
use crate::model::reach::{Reach, Reaches};
use crate::model::timestamp::Timestamp;
use crate::state::key_state::KeyState;

/// By which revocations one piece of work can be reached: its credential, as far as that matters.
#[derive(Debug, Default)]
pub(crate) struct Terms {
    keys: Vec<Key>,
    issue: Issue,
    reaches: Reaches,
}

impl Terms {
    /// Makes these the terms of work that presents `credential`. Allocates only if the room from before is not enough.
    #[inline]
    pub(crate) fn set(&mut self, credential: &Credential, reaches: &Reaches) {
        self.keys.clear();
        self.keys.reserve_exact(credential.len());
        credential
            .slices()
            .into_iter()
            .for_each(|keys| self.keys.extend_from_slice(keys));
        self.issue = Issue::of(credential);
        self.reaches = *reaches;
    }

    /// Gives back the room that earlier terms may have left.
    pub(crate) fn give_back(&mut self) {
        self.keys.shrink_to_fit();
    }

    /// The credential's keys.
    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// When the credential was issued.
    pub(crate) fn issued_at(&self) -> Option<Timestamp> {
        self.issue.at()
    }

    /// Whether it is more than one credential.
    pub(crate) const fn is_merged(&self) -> bool {
        self.issue.is_merged()
    }

    /// The work's own keys to wait for, or the issuer-wide one if there is no other.
    pub(crate) fn own(&self) -> impl Iterator<Item = Key> {
        let mut keys = self.awaited(false);
        let first = keys.next().unwrap_or_else(Key::everything);
        iter::once(first).chain(keys)
    }

    /// The keys to wait for that many credentials share.
    pub(crate) fn shared(&self) -> impl Iterator<Item = Key> {
        self.awaited(true)
    }

    fn awaited(&self, shared: bool) -> impl Iterator<Item = Key> {
        let is_awaited =
            move |key: &Key| key.kind().is_shared() == shared && self.reaches.of(key.kind()) != Reach::Never;
        self.keys.iter().copied().filter(is_awaited)
    }

    /// These terms without some of their keys.
    pub(crate) fn without(&self, is_left_out: impl Fn(&Key) -> bool) -> Self {
        let mut keys = self.keys.clone();
        keys.retain(|key| !is_left_out(key));
        Self { keys, ..*self }
    }

    /// How a key of this kind with this state ends the work, if it does.
    pub(crate) fn ended_by(&self, kind: KeyKind, known: &KeyState) -> Option<Effect> {
        let counts = match self.reaches.of(kind) {
            Reach::Always => true,
            Reach::Never => false,
            Reach::UnlessSuperseded => known.withdraws(self.issue.at()),
        };
        if counts { known.refuses(self.issue.at()) } else { None }
    }
}

/// When a credential was issued, and whether it is more than one: in one number, since there may be a million of them.
#[derive(Clone, Copy, Debug, Default)]
struct Issue(u64);

impl Issue {
    fn of(credential: &Credential) -> Self {
        // Zero is unknown: the epoch counts as a millisecond later. No time as far ahead as the bit is believed.
        let millis = |at: Timestamp| at.as_unix_millis().clamp(1, u64::MAX >> 1);
        let at = credential.issued_at().map_or(0, millis);
        Self(at << 1 | u64::from(credential.is_merged()))
    }

    fn at(self) -> Option<Timestamp> {
        (self.0 > 1).then(|| Timestamp::from_unix_millis(self.0 >> 1))
    }

    const fn is_merged(self) -> bool {
        self.0 & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{Event, Reason, Revocation};

    fn known(revocation: Revocation) -> KeyState {
        KeyState::of(&Event::from(revocation), Timestamp::from_unix_secs(100), 0)
    }

    fn terms(credential: impl Into<Credential>, reaches: &Reaches) -> Terms {
        let mut terms = Terms::default();
        terms.set(&credential.into(), reaches);
        terms
    }

    #[test]
    fn a_rotation_counts_only_where_the_host_says_so() {
        let key = Key::token("t");
        let rotation = known(Revocation::block(key).because(Reason::Superseded));
        let stolen = known(Revocation::block(key).because(Reason::KeyCompromise));
        for (reach, by_rotation, by_theft) in [
            (Reach::UnlessSuperseded, false, true),
            (Reach::Always, true, true),
            (Reach::Never, false, false),
        ] {
            let mut reaches = Reaches::default();
            reaches.set(KeyKind::Token, reach);
            let terms = terms(key, &reaches);
            assert_eq!(
                terms.ended_by(KeyKind::Token, &rotation).is_some(),
                by_rotation,
                "{reach:?}"
            );
            assert_eq!(terms.ended_by(KeyKind::Token, &stolen).is_some(), by_theft, "{reach:?}");
            assert!(
                terms.ended_by(KeyKind::Subject, &stolen).is_some(),
                "other kinds are as they were"
            );
        }
    }

    #[test]
    fn a_cut_off_ends_what_was_issued_before_it() {
        let cut_off = known(Revocation::cut_off(Key::token("t")));
        let issued = |secs| Credential::from(Key::token("t")).with_issued_at(Timestamp::from_unix_secs(secs));
        let ends = |credential| terms(credential, &Reaches::default()).ended_by(KeyKind::Token, &cut_off);
        assert_eq!((ends(issued(100)), ends(issued(101))), (Some(Effect::CutOff), None));
        assert_eq!(ends(Key::token("t").into()), Some(Effect::CutOff), "of unknown age");
    }

    #[test]
    fn there_is_always_a_key_to_wait_for() {
        let mut reaches = Reaches::default();
        let (t, s, x) = (Key::token("t"), Key::subject("s"), Key::tenant("x"));
        let awaited = |terms: Terms| (terms.own().collect::<Vec<_>>(), terms.shared().collect::<Vec<_>>());
        assert_eq!(awaited(terms([t, x, s], &reaches)), (vec![t, s], vec![x]));
        assert_eq!(awaited(terms(x, &reaches)), (vec![Key::everything()], vec![x]));
        assert_eq!(
            awaited(terms(Credential::new(), &reaches)),
            (vec![Key::everything()], vec![])
        );
        reaches.set(KeyKind::Token, Reach::Never);
        reaches.set(KeyKind::Tenant, Reach::Never);
        assert_eq!(awaited(terms([t, x, s], &reaches)), (vec![s], vec![]));
        assert_eq!(awaited(terms([t, x], &reaches)), (vec![Key::everything()], vec![]));
    }

    #[test]
    fn says_nothing_of_who_had_it_before() {
        let mut reused = terms([Key::token("t"), Key::token("u")], &Reaches::default());
        let room = reused.keys.capacity();
        let mut reaches = Reaches::default();
        reaches.set(KeyKind::Token, Reach::Always);
        reused.set(&Key::subject("s").into(), &reaches);
        assert_eq!(
            (reused.keys(), reused.keys.capacity()),
            (&[Key::subject("s")][..], room)
        );
        assert_eq!(
            (reused.issued_at(), reused.reaches.of(KeyKind::Token)),
            (None, Reach::Always)
        );
        reused.give_back();
        assert_eq!(reused.keys.capacity(), 1);
    }
}
