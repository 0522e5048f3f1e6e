//! Readers beside writers: of events, of lists, and of what may be forgotten.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use tokio::time::Instant;

use crate::model::domain_config::DomainConfig;
use crate::model::event::{Event, Revocation};
use crate::model::key::Key;
use crate::model::timestamp::Timestamp;
use crate::model::verdict::Verdict;
use crate::models::explore;
use crate::state::key_state::KeyState;
use crate::state::left_right::Pair;
use crate::state::snapshot::RevocationList;
use crate::state::view::{Refreshed, State, Step};

/// What several threads have at hand.
struct Shared {
    pair: Pair,
    /// Whether a writer has come back.
    has_returned: AtomicBool,
}

impl Shared {
    /// With these steps taken before anybody looks.
    fn after(steps: Vec<Step>) -> Arc<Self> {
        let pair = Pair::new(State::new(DomainConfig::default()));
        pair.write().publish(vec![list(1, &[])]);
        pair.write().publish(steps);
        let has_returned = AtomicBool::new(false);
        Arc::new(Self { pair, has_returned })
    }

    fn is_revoked(&self, id: &str) -> bool {
        let key = Key::token(id);
        self.pair.look(|state| {
            // Another may write while this one reads.
            thread::yield_now();
            matches!(state.verdict(&key.into(), Instant::now()), Verdict::Revoked(_))
        })
    }

    /// What both states say in the end: each publication shows the other one.
    fn assert_in_both(&self, ids: &[&str]) {
        for _ in 0..2 {
            self.pair.write().publish(Vec::new());
            ids.iter().for_each(|id| assert!(self.is_revoked(id), "{id} is lost"));
        }
    }
}

fn beside(shared: &Arc<Shared>, work: impl FnOnce(&Shared) + 'static) -> thread::JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || work(&shared))
}

fn block(id: &str) -> Step {
    let event = Event::from(Revocation::block(Key::token(id)));
    Step::Merge(*event.key(), KeyState::of(&event, Timestamp::from_unix_secs(5), SOON))
}

fn list(issued_at: u64, ids: &[&str]) -> Step {
    let mut list = RevocationList::builder(Timestamp::from_unix_secs(issued_at));
    for id in ids {
        list.push(&Revocation::block(Key::token(id)).at(Timestamp::from_unix_secs(5)));
    }
    let refreshed = Refreshed {
        at: Instant::now(),
        age: Duration::ZERO,
    };
    Step::Install(Arc::new(list.build()), refreshed)
}

#[test]
fn whoever_looks_after_a_writer_has_returned_sees_what_it_wrote() {
    explore(3, || {
        let shared = Shared::after(Vec::new());
        let writer = beside(&shared, |shared| {
            shared.pair.write().publish(vec![block("a")]);
            shared.has_returned.store(true, Ordering::Release);
        });
        let other = beside(&shared, |shared| drop(shared.pair.write().publish(vec![block("b")])));
        let has_returned = shared.has_returned.load(Ordering::Acquire);
        assert!(shared.is_revoked("a") || !has_returned, "admitted after apply returned");
        writer.join().unwrap();
        other.join().unwrap();
        shared.assert_in_both(&["a", "b"]);
    });
}

/// The list takes the event over. Nobody looks between the two.
#[test]
fn nobody_sees_the_overlay_pruned_and_the_list_not_there() {
    explore(3, || {
        let shared = Shared::after(vec![block("a")]);
        let poll = beside(&shared, |shared| {
            let mut writing = shared.pair.write();
            writing.publish(vec![list(9, &["a"])]);
            writing.settle();
        });
        let event = beside(&shared, |shared| drop(shared.pair.write().publish(vec![block("b")])));
        assert!(shared.is_revoked("a"));
        poll.join().unwrap();
        event.join().unwrap();
        shared.assert_in_both(&["a", "b"]);
    });
}

#[test]
fn nor_what_may_be_forgotten_gone_before_the_list_says_it() {
    explore(3, || {
        let shared = Shared::after(vec![block("a"), list(8, &["a"]), block("a")]);
        let tidy = beside(&shared, |shared| {
            drop(shared.pair.write().publish(vec![Step::Forget(SOON)]))
        });
        let poll = beside(&shared, |shared| {
            drop(shared.pair.write().publish(vec![list(9, &["a"])]))
        });
        assert!(shared.is_revoked("a"));
        tidy.join().unwrap();
        poll.join().unwrap();
        shared.assert_in_both(&["a"]);
    });
}

#[test]
fn nor_half_a_batch() {
    explore(4, || {
        let shared = Shared::after(Vec::new());
        let writer = beside(&shared, |shared| {
            shared.pair.write().publish(vec![block("a"), block("b")]);
            shared.pair.write().publish(vec![block("c")]);
        });
        // If the second part isn't there yet, a look that came before can't have seen the first.
        let (first, second) = (shared.is_revoked("b"), shared.is_revoked("a"));
        assert!(!first || second, "half a batch");
        writer.join().unwrap();
        shared.assert_in_both(&["a", "b", "c"]);
    });
}

/// What has no room the first time must not find some in the other state.
#[test]
fn both_states_refuse_the_same() {
    explore(3, || {
        let policy = DomainConfig {
            capacity: NonZeroUsize::MIN,
            ..DomainConfig::default()
        };
        let shared = Shared::after(vec![Step::Configure(Box::new(policy))]);
        let writers = ["a", "b"].map(|id| {
            beside(&shared, move |shared| {
                drop(shared.pair.write().publish(vec![block(id)]))
            })
        });
        let seen = ["a", "b"].map(|id| shared.is_revoked(id));
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        let one = if shared.is_revoked("a") { "a" } else { "b" };
        let other = if one == "a" { 1 } else { 0 };
        assert!(!seen[other], "it is gone again");
        shared.assert_in_both(&[one]);
    });
}

/// The reader goes to sleep in the middle of a look, for longer than any writer waits.
#[test]
fn a_reader_that_does_not_leave_changes_nothing_for_the_others() {
    explore(2, || {
        let shared = Shared::after(vec![block("a")]);
        shared.pair.look(|view| {
            let writer = beside(&shared, |shared| {
                shared.pair.write().publish(vec![block("b")]);
                shared.pair.write().publish(vec![block("c")]);
                shared.has_returned.store(true, Ordering::Release);
            });
            let reader = beside(&shared, |shared| {
                let has_returned = shared.has_returned.load(Ordering::Acquire);
                assert!(shared.is_revoked("c") || !has_returned, "admitted after apply returned");
                assert!(shared.is_revoked("a"));
            });
            writer.join().unwrap();
            reader.join().unwrap();
            let sees = |id| {
                let verdict = view.verdict(&Key::token(id).into(), Instant::now());
                matches!(verdict, Verdict::Revoked(_))
            };
            assert!(sees("a") && !sees("b"), "its view does not change");
        });
        shared.assert_in_both(&["a", "b", "c"]);
    });
}

/// That it is one publication matters: loom finds who is let in otherwise.
#[test]
#[should_panic(expected = "admitted in between")]
fn pruning_first_and_installing_then_would_let_somebody_in() {
    explore(3, || {
        let shared = Shared::after(vec![block("a")]);
        let poll = beside(&shared, |shared| {
            let mut writing = shared.pair.write();
            writing.publish(vec![Step::Forget(SOON)]);
            writing.publish(vec![list(9, &["a"])]);
        });
        assert!(shared.is_revoked("a"), "admitted in between");
        poll.join().unwrap();
    });
}

/// When states of keys may be forgotten, in seconds on the store's clock.
const SOON: u32 = 99;
