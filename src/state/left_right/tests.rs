//! Readers that do not leave, and steps that panic.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::time::Instant;

use super::Pair;
use crate::model::domain_config::DomainConfig;
use crate::model::event::{Event, Revocation};
use crate::model::key::Key;
use crate::model::timestamp::Timestamp;
use crate::model::verdict::Verdict;
use crate::state::key_state::KeyState;
use crate::state::view::{State, Step};

fn pair() -> Pair {
    Pair::new(State::new(DomainConfig::default()))
}

fn revocation(id: &str) -> Step {
    let event = Event::from(Revocation::block(Key::token(id)));
    Step::Merge(*event.key(), KeyState::of(&event, Timestamp::from_unix_secs(100), 99))
}

fn revoke(pair: &Pair, id: &str) {
    assert!(pair.write().publish(vec![revocation(id)]).is_empty());
}

fn is_revoked(state: &State, id: &str) -> bool {
    let verdict = state.verdict(&Key::token(id).into(), Instant::now());
    matches!(verdict, Verdict::Revoked(_))
}

/// Whether both states say so: each publication shows the other one.
fn are_revoked_in_both(pair: &Pair, ids: &[&str]) -> bool {
    (0..2).all(|_| {
        pair.write().publish(Vec::new());
        ids.iter().all(|id| pair.look(|state| is_revoked(state, id)))
    })
}

#[test]
fn a_reader_that_does_not_leave_costs_a_copy_and_has_nothing_to_free() {
    let pair = pair();
    revoke(&pair, "a");
    let reader = pair.published.0.state.load_full();
    revoke(&pair, "b");
    revoke(&pair, "c");
    assert_eq!(pair.write().writer.abandoned.len(), 1);
    assert!(are_revoked_in_both(&pair, &["a", "b", "c"]));
    assert!(is_revoked(&reader, "a"));
    assert!(!is_revoked(&reader, "b"), "its view does not change");
    assert_eq!(pair.write().writer.abandoned.len(), 1, "as long as it stays");
    drop(reader);
    revoke(&pair, "d");
    assert_eq!(pair.write().writer.abandoned.len(), 0);
}

/// A panic used to leave half a batch in one of the two states. It was seen in every other publication.
#[test]
fn what_a_panic_left_behind_is_never_published() {
    let pair = pair();
    revoke(&pair, "a");
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut writing = pair.write();
        let spare = writing.writer.spare(&writing.published.state);
        spare.run(&revocation("half")).unwrap();
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    assert!(are_revoked_in_both(&pair, &["a"]));
    assert!(!pair.writer.is_poisoned(), "or every change would start over");
    for _ in 0..2 {
        pair.write().publish(Vec::new());
        assert!(!pair.look(|state| is_revoked(state, "half")));
    }
    revoke(&pair, "b");
    assert!(are_revoked_in_both(&pair, &["a", "b"]));
}

#[test]
fn what_found_no_room_is_named_and_is_in_neither() {
    let pair = pair();
    let policy = DomainConfig {
        capacity: NonZeroUsize::MIN,
        ..DomainConfig::default()
    };
    pair.write().publish(vec![Step::Configure(Box::new(policy))]);
    let refused = pair
        .write()
        .publish(vec![revocation("a"), revocation("b"), revocation("a")]);
    assert_eq!(refused.into_iter().collect::<Vec<_>>(), [1]);
    assert!(are_revoked_in_both(&pair, &["a"]) && !are_revoked_in_both(&pair, &["b"]));
}

#[test]
fn a_publication_is_told_from_the_one_before() {
    let pair = pair();
    let seen = pair.look(|state| state.version);
    assert!(!pair.has_changed_since(seen));
    pair.write().publish(vec![Step::Forget(0)]);
    assert!(pair.has_changed_since(seen) && !pair.has_changed_since(seen + 1));
    assert_eq!(pair.write().steps().len(), 1);
    pair.write().settle();
    assert_eq!(pair.write().steps().len(), 0);
}

#[test]
fn shows_nothing_of_what_it_holds() {
    let pair = pair();
    revoke(&pair, "a");
    assert_eq!(format!("{pair:?}"), "Pair { .. }");
}
