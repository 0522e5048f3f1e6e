//! What is known of one key, and how two such states are joined.

use crate::model::event::{Effect, Event, Reason};
use crate::model::timestamp::Timestamp;

/// All that events said about one key: the latest block, the greatest cut-off, the latest reinstatement.
///
/// States of a key form a join-semilattice: each field is a maximum. So joining is commutative, associative and
/// idempotent, and the order, repetition and lateness of events cannot matter (invariant 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyState {
    /// The latest block.
    block: Moment,
    /// The latest reinstatement.
    reinstated: Moment,
    /// The greatest cut-off.
    cut_off: Moment,
    /// In seconds on the store's own monotonic clock.
    forget_at: u32,
    /// The reason of the later of block and cut-off.
    reason: Reason,
    /// The latest revocation that is not a mere rotation, where a newer credential takes this one's place.
    withdrawn: Moment,
}

impl KeyState {
    /// What `event` says. `arrival` stands in for a time that it doesn't state.
    pub(crate) fn of(event: &Event, arrival: Timestamp, forget_at: u32) -> Self {
        let blank = Self {
            forget_at,
            ..Self::default()
        };
        match event {
            Event::Reinstate(reinstatement) => Self {
                reinstated: Moment::at(reinstatement.effective_at()),
                ..blank
            },
            Event::Revoke(revocation) => {
                let at = Moment::at(revocation.effective_at().unwrap_or(arrival));
                let reason = revocation.reason();
                let blank = Self {
                    reason,
                    withdrawn: if reason.withdraws() { at } else { Moment::NEVER },
                    ..blank
                };
                match revocation.effect() {
                    Effect::Block => Self { block: at, ..blank },
                    Effect::CutOff => Self { cut_off: at, ..blank },
                }
            }
        }
    }

    /// What a revocation list says of a key. Its times are whole seconds. Each stands for the end of its second, so
    /// that an event within that second can't count as newer.
    pub(crate) fn listed(effect: Effect, at_secs: u32, reason: Reason, withdrawn: bool) -> Self {
        let at = Moment::end_of_second(at_secs);
        let (block, cut_off) = match effect {
            Effect::Block => (at, Moment::NEVER),
            Effect::CutOff => (Moment::NEVER, at),
        };
        Self {
            block,
            cut_off,
            reason,
            withdrawn: if withdrawn { at } else { Moment::NEVER },
            ..Self::default()
        }
    }

    /// Joins both states.
    pub(crate) fn join(self, other: Self) -> Self {
        let reason = match self.latest().cmp(&other.latest()) {
            std::cmp::Ordering::Less => other.reason,
            std::cmp::Ordering::Equal => self.reason.max(other.reason),
            std::cmp::Ordering::Greater => self.reason,
        };
        Self {
            block: self.block.max(other.block),
            reinstated: self.reinstated.max(other.reinstated),
            cut_off: self.cut_off.max(other.cut_off),
            forget_at: self.forget_at.max(other.forget_at),
            reason,
            withdrawn: self.withdrawn.max(other.withdrawn),
        }
    }

    /// Whether a credential issued at `issued_at` is refused, and how.
    pub(crate) fn refuses(&self, issued_at: Option<Timestamp>) -> Option<Effect> {
        if self.block.is_set() && self.block >= self.reinstated {
            return Some(Effect::Block);
        }
        // A lifted block stays as a cut-off at its own time.
        self.latest().cuts(issued_at).then_some(Effect::CutOff)
    }

    /// Whether a refused credential is refused by more than rotations, which do not end work in flight. What counts is
    /// what is in force against it, and not what was once said of its key. Like everything here, the answer does not
    /// depend on the order of events.
    pub(crate) fn withdraws(&self, issued_at: Option<Timestamp>) -> bool {
        let is_blocked = self.block.is_set() && self.block >= self.reinstated;
        is_blocked && self.withdrawn.is_set() && self.withdrawn >= self.reinstated || self.withdrawn.cuts(issued_at)
    }

    /// Whether `self` says nothing that `other` doesn't say at least as strictly.
    pub(crate) fn is_covered_by(&self, other: &Self) -> bool {
        !self.reinstated.is_set()
            && self.block <= other.block
            && self.latest() <= other.latest()
            && self.withdrawn <= other.withdrawn
    }

    pub(crate) const fn reason(&self) -> Reason {
        self.reason
    }

    pub(crate) const fn forget_at(&self) -> u32 {
        self.forget_at
    }

    /// Block, reinstatement, cut-off and withdrawal, for storage: milliseconds since the epoch plus one, or zero for
    /// never.
    #[cfg(feature = "journal")]
    pub(crate) const fn moments(&self) -> [u64; 4] {
        [self.block.0, self.reinstated.0, self.cut_off.0, self.withdrawn.0]
    }

    /// The state of a key that was stored.
    #[cfg(feature = "journal")]
    pub(crate) const fn from_moments(moments: [u64; 4], reason: Reason, forget_at: u32) -> Self {
        let [block, reinstated, cut_off, withdrawn] = moments;
        Self {
            block: Moment(block),
            reinstated: Moment(reinstated),
            cut_off: Moment(cut_off),
            withdrawn: Moment(withdrawn),
            forget_at,
            reason,
        }
    }

    /// The later of block and cut-off.
    fn latest(&self) -> Moment {
        self.block.max(self.cut_off)
    }
}

/// A time, or never: milliseconds since the epoch plus one, so that the epoch itself is not never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(u64);

impl Moment {
    const NEVER: Self = Self(0);

    const fn at(time: Timestamp) -> Self {
        Self(time.as_unix_millis().saturating_add(1))
    }

    const fn end_of_second(secs: u32) -> Self {
        Self(secs as u64 * 1000 + 1000)
    }

    const fn is_set(self) -> bool {
        self.0 != 0
    }

    /// Whether a cut-off at this time refuses what was issued at `issued_at`.
    fn cuts(self, issued_at: Option<Timestamp>) -> bool {
        self.is_set() && issued_at.is_none_or(|issued_at| issued_at.as_unix_secs() <= self.secs())
    }

    const fn secs(self) -> u64 {
        self.0.saturating_sub(1) / 1000
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::event::{Reinstatement, Revocation};
    use crate::model::key::Key;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    fn block(millis: u64) -> KeyState {
        key_state(Revocation::block(Key::token("t")).at(at(millis)).into())
    }

    fn cut_off(millis: u64) -> KeyState {
        key_state(Revocation::cut_off(Key::token("t")).at(at(millis)).into())
    }

    fn reinstate(millis: u64) -> KeyState {
        key_state(Reinstatement::of(Key::token("t"), at(millis)).into())
    }

    fn key_state(event: Event) -> KeyState {
        KeyState::of(&event, at(0), 0)
    }

    #[test]
    fn a_block_refuses_until_it_is_lifted_and_a_tie_refuses() {
        let newer_token = Some(at(99_000));
        assert_eq!(block(5_000).refuses(newer_token), Some(Effect::Block));
        let tie = block(5_000).join(reinstate(5_000));
        assert_eq!(tie.refuses(newer_token), Some(Effect::Block));
        let lifted = block(5_000).join(reinstate(5_001));
        assert_eq!(lifted.refuses(newer_token), None);
        let again = lifted.join(block(6_000));
        assert_eq!(again.refuses(newer_token), Some(Effect::Block));
    }

    #[test]
    fn a_lifted_block_stays_as_a_cut_off_at_its_own_time() {
        let lifted = block(5_000).join(reinstate(9_000));
        assert_eq!(lifted.refuses(Some(at(5_000))), Some(Effect::CutOff));
        assert_eq!(lifted.refuses(Some(at(6_000))), None);
        assert_eq!(lifted.refuses(None), Some(Effect::CutOff));
    }

    #[test]
    fn a_cut_off_refuses_its_own_second_and_what_does_not_say_when() {
        let cut = cut_off(5_300);
        assert_eq!(cut.refuses(Some(at(5_999))), Some(Effect::CutOff));
        assert_eq!(cut.refuses(Some(at(6_000))), None);
        assert_eq!(cut.refuses(None), Some(Effect::CutOff));
        assert_eq!(
            cut.join(reinstate(9_000)).refuses(Some(at(5_000))),
            Some(Effect::CutOff),
            "a reinstatement leaves cut-offs alone"
        );
    }

    #[test]
    fn a_reinstatement_alone_refuses_nothing() {
        assert_eq!(reinstate(5_000).refuses(None), None);
        assert_eq!(KeyState::default().refuses(None), None);
    }

    #[test]
    fn a_revocation_at_the_epoch_counts() {
        assert_eq!(block(0).refuses(Some(at(7))), Some(Effect::Block));
        let listed = KeyState::listed(Effect::Block, 0, Reason::Unspecified, true);
        assert_eq!(listed.refuses(Some(at(7))), Some(Effect::Block));
    }

    #[test]
    fn a_listed_second_is_not_outdated_by_an_event_within_it() {
        let listed = KeyState::listed(Effect::Block, 5, Reason::Unspecified, true);
        let within = listed.join(reinstate(5_900));
        assert_eq!(within.refuses(Some(at(99_000))), Some(Effect::Block));
        let after = listed.join(reinstate(6_000));
        assert_eq!(after.refuses(Some(at(99_000))), None);
        assert!(block(5_900).is_covered_by(&listed));
        assert!(!block(6_000).is_covered_by(&listed));
        assert!(!reinstate(1).is_covered_by(&listed));
        assert!(!cut_off(6_000).is_covered_by(&listed));
    }

    #[test]
    fn the_reason_is_that_of_the_latest_revocation_in_any_order() {
        let old = key_state(
            Revocation::block(Key::token("t"))
                .at(at(1))
                .because(Reason::Superseded)
                .into(),
        );
        let new = key_state(
            Revocation::cut_off(Key::token("t"))
                .at(at(2))
                .because(Reason::KeyCompromise)
                .into(),
        );
        assert_eq!(old.join(new), new.join(old));
        assert_eq!(old.join(new).reason(), Reason::KeyCompromise);
        assert_eq!(old.join(new).join(reinstate(9)).reason(), Reason::KeyCompromise);
    }

    #[test]
    fn is_kept_until_the_last_of_what_it_joins_may_be_forgotten() {
        let until = |forget_at| KeyState {
            forget_at,
            ..block(5_000)
        };
        assert_eq!(until(9).join(until(3)).forget_at(), 9);
        assert_eq!(until(3).join(until(9)).forget_at(), 9);
    }

    #[test]
    fn an_undated_revocation_took_effect_on_arrival() {
        let arrived = |revocation: Revocation| KeyState::of(&revocation.into(), at(50_000), 0);
        let block = arrived(Revocation::block(Key::token("t")));
        let newer_token = Some(at(99_000));
        assert_eq!(
            block.join(reinstate(50_000)).refuses(newer_token),
            Some(Effect::Block),
            "an older reinstatement cannot know of it"
        );
        assert_eq!(block.join(reinstate(50_001)).refuses(newer_token), None);
        let cut_off = arrived(Revocation::cut_off(Key::token("t")));
        assert_eq!(cut_off.refuses(Some(at(50_000))), Some(Effect::CutOff));
        assert_eq!(cut_off.refuses(Some(at(51_000))), None);
    }

    #[test]
    fn a_revocation_at_the_end_of_time_counts() {
        assert_eq!(block(u64::MAX).refuses(Some(at(7))), Some(Effect::Block));
        assert_eq!(cut_off(u64::MAX).refuses(Some(at(u64::MAX))), Some(Effect::CutOff));
    }

    #[test]
    fn a_cut_off_does_not_cover_a_block() {
        let listed = KeyState::listed(Effect::CutOff, 9, Reason::Unspecified, true);
        assert!(cut_off(5_000).is_covered_by(&listed));
        assert!(!block(5_000).is_covered_by(&listed));
    }

    fn superseded(revocation: Revocation) -> KeyState {
        key_state(revocation.because(Reason::Superseded).into())
    }

    /// A list that knows only of the rotation must not replace an event that said more.
    #[test]
    fn what_is_more_than_a_rotation_stays_so_in_any_order() {
        let rotation = superseded(Revocation::block(Key::token("t")).at(at(9_000)));
        let stolen = block(5_000);
        let newer_token = Some(at(99_000));
        assert!(!rotation.withdraws(newer_token) && !rotation.withdraws(None) && stolen.withdraws(newer_token));
        assert_eq!(rotation.join(stolen), stolen.join(rotation));
        assert!(rotation.join(stolen).withdraws(newer_token));
        assert!(!rotation.join(reinstate(20_000)).withdraws(None));
        assert!(rotation.is_covered_by(&rotation.join(stolen)));
        assert!(!stolen.is_covered_by(&rotation));
    }

    /// A logout long ago once had the effect that every later rotation of its subject cut what was opened since.
    #[test]
    fn a_withdrawal_that_does_not_concern_a_credential_makes_no_rotation_one() {
        let rotation = superseded(Revocation::cut_off(Key::token("t")).at(at(9_000)));
        let known = cut_off(2_000).join(rotation);
        assert_eq!(known.refuses(Some(at(5_000))), Some(Effect::CutOff));
        assert!(!known.withdraws(Some(at(5_000))), "by the rotation alone");
        assert!(known.withdraws(Some(at(2_999))) && known.withdraws(None));
        let lifted = block(2_000)
            .join(reinstate(3_000))
            .join(superseded(Revocation::block(Key::token("t")).at(at(9_000))));
        assert_eq!(lifted.refuses(Some(at(5_000))), Some(Effect::Block));
        assert!(!lifted.withdraws(Some(at(5_000))));
        assert!(lifted.withdraws(Some(at(2_000))), "a lifted block stays as a cut-off");
    }

    fn key_states() -> impl Strategy<Value = KeyState> {
        let key_state = prop_oneof![
            (0..20_u64).prop_map(|ms| block(ms * 500)),
            (0..20_u64).prop_map(|ms| cut_off(ms * 500)),
            (0..20_u64).prop_map(|ms| reinstate(ms * 500)),
        ];
        let reason = prop_oneof![Just(Reason::Unspecified), Just(Reason::Superseded)];
        (key_state, 0..5_u32, reason).prop_map(|(key_state, forget_at, reason)| match key_state.latest().is_set() {
            true => KeyState {
                forget_at,
                reason,
                withdrawn: if reason.withdraws() {
                    key_state.latest()
                } else {
                    Moment::NEVER
                },
                ..key_state
            },
            false => KeyState { forget_at, ..key_state },
        })
    }

    proptest! {
        #[test]
        fn joins_are_commutative_associative_and_idempotent(a in key_states(), b in key_states(), c in key_states()) {
            prop_assert_eq!(a.join(b), b.join(a));
            prop_assert_eq!(a.join(b).join(c), a.join(b.join(c)));
            prop_assert_eq!(a.join(a), a);
            prop_assert_eq!(a.join(KeyState::default()), a);
        }

        #[test]
        fn a_revocation_never_makes_a_decision_milder(
            known in proptest::collection::vec(key_states(), 0..6),
            late in prop_oneof![(0..20_u64).prop_map(|ms| block(ms * 500)), (0..20_u64).prop_map(|ms| cut_off(ms * 500))],
            iat in proptest::option::of((0..20_u64).prop_map(|ms| at(ms * 500))),
        ) {
            let before = known.into_iter().fold(KeyState::default(), KeyState::join);
            if before.refuses(iat).is_some() {
                prop_assert!(before.join(late).refuses(iat).is_some());
            }
        }
    }
}
