//! What is known of one key, and how two such states are joined.

use crate::model::event::{Effect, Event, Reason};
use crate::model::timestamp::Timestamp;
use crate::state::moment::Moment;

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
    /// Up to when what was issued is refused: the greatest cut-off or block, since a lifted block stays as a cut-off at
    /// its own time.
    cut_off: Moment,
    /// In seconds on the store's own monotonic clock.
    forget_at: u32,
    /// The reason of the later of block and cut-off.
    reason: Reason,
    /// As `cut_off`, but of revocations that are more than a rotation, where a newer credential takes this one's place.
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
                let (at, reason) = (revocation.effective_at(), revocation.reason());
                let cut_off = Moment::cut_off(at.unwrap_or_else(|| arrival.to_the_millisecond()));
                let block = match revocation.effect() {
                    Effect::Block => Moment::at(at.unwrap_or(arrival)),
                    Effect::CutOff => Moment::NEVER,
                };
                Self {
                    block,
                    cut_off,
                    reason,
                    withdrawn: if reason.withdraws() { cut_off } else { Moment::NEVER },
                    ..blank
                }
            }
        }
    }

    /// What a revocation list says of a key. A time of a whole second stands for the end of it, so that an event within
    /// that second can't count as newer.
    pub(crate) fn listed(effect: Effect, at: Timestamp, reason: Reason, withdrawn: bool) -> Self {
        let at = Moment::cut_off(at);
        let block = match effect {
            Effect::Block => at,
            Effect::CutOff => Moment::NEVER,
        };
        Self {
            block,
            cut_off: at,
            reason,
            withdrawn: if withdrawn { at } else { Moment::NEVER },
            ..Self::default()
        }
    }

    /// Joins both states.
    pub(crate) fn join(self, other: Self) -> Self {
        let reason = match self.cut_off.cmp(&other.cut_off) {
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
        self.cut_off.cuts(issued_at).then_some(Effect::CutOff)
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
            && self.cut_off <= other.cut_off
            && self.withdrawn <= other.withdrawn
    }

    /// Up to when what was issued is refused, unless it is spared.
    pub(crate) const fn cut_off(&self) -> Moment {
        self.cut_off
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
        [
            self.block.bits(),
            self.reinstated.bits(),
            self.cut_off.bits(),
            self.withdrawn.bits(),
        ]
    }

    /// The state of a key that was stored. Earlier versions stored times as they were stated.
    #[cfg(feature = "journal")]
    pub(crate) fn from_moments(moments: [u64; 4], reason: Reason, forget_at: u32) -> Self {
        let [block, reinstated, cut_off, withdrawn] = moments;
        Self {
            block: Moment::of_bits(block),
            reinstated: Moment::of_bits(reinstated),
            cut_off: Moment::of_bits(cut_off.max(block)).as_cut_off(),
            withdrawn: Moment::of_bits(withdrawn).as_cut_off(),
            forget_at,
            reason,
        }
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
    fn a_cut_off_counts_in_milliseconds_where_both_sides_state_them() {
        let refuses = |cut: KeyState, issued| cut.refuses(Some(at(issued))) == Some(Effect::CutOff);
        for cut in [cut_off(5_300), block(5_300).join(reinstate(9_000))] {
            assert!(refuses(cut, 5_299) && refuses(cut, 5_300));
            assert!(!refuses(cut, 5_301) && !refuses(cut, 5_999));
            assert!(refuses(cut, 5_000), "of a whole second");
            assert!(!refuses(cut, 6_000));
        }
        for cut in [cut_off(5_000), block(5_000).join(reinstate(9_000))] {
            assert!(refuses(cut, 5_999), "it stands for all of its second");
            assert!(!refuses(cut, 6_000));
            assert!(refuses(cut.join(cut_off(5_300)), 5_999), "whatever else is said");
        }
    }

    #[test]
    fn a_cut_off_refuses_what_does_not_say_when() {
        let cut = cut_off(5_300);
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
        let listed = KeyState::listed(Effect::Block, at(0), Reason::Unspecified, true);
        assert_eq!(listed.refuses(Some(at(7))), Some(Effect::Block));
    }

    #[test]
    fn a_listed_second_is_not_outdated_by_an_event_within_it() {
        let listed = KeyState::listed(Effect::Block, at(5_000), Reason::Unspecified, true);
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

    /// Rows of earlier versions have no cut-off beside a block, and cut-offs on a whole second as they were stated.
    #[cfg(feature = "journal")]
    #[test]
    fn what_an_earlier_version_stored_is_no_less_strict() {
        let stored = |moments| KeyState::from_moments(moments, Reason::Unspecified, 0);
        let cut = stored([0, 0, 5_001, 5_001]);
        assert_eq!(cut.refuses(Some(at(5_999))), Some(Effect::CutOff));
        let lifted = stored([5_001, 9_001, 0, 5_001]);
        assert_eq!(lifted.refuses(Some(at(5_999))), Some(Effect::CutOff));
        assert_eq!(lifted.refuses(Some(at(6_000))), None);
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
        assert_eq!(cut_off.refuses(Some(at(50_001))), Some(Effect::CutOff));
        assert_eq!(
            cut_off.refuses(Some(at(50_002))),
            None,
            "its time is known to the millisecond"
        );
    }

    #[test]
    fn a_revocation_at_the_end_of_time_counts() {
        assert_eq!(block(u64::MAX).refuses(Some(at(7))), Some(Effect::Block));
        assert_eq!(cut_off(u64::MAX).refuses(Some(at(u64::MAX))), Some(Effect::CutOff));
    }

    #[test]
    fn a_cut_off_does_not_cover_a_block() {
        let listed = KeyState::listed(Effect::CutOff, at(9_000), Reason::Unspecified, true);
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
        (key_state, 0..5_u32, reason).prop_map(|(key_state, forget_at, reason)| match key_state.cut_off.is_set() {
            true => KeyState {
                forget_at,
                reason,
                withdrawn: if reason.withdraws() {
                    key_state.cut_off
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
