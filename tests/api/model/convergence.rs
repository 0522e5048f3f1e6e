//! Order, repetition and restarts don't matter (invariant 2): the same events in any order, repeatedly, and a list among them.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::history::lists;
use super::naive::{Limits, Naive};
use super::process::Process;
use super::statement::{Statement, cases, statements};

/// Events, and the same with repetitions in another order.
fn disturbed() -> impl Strategy<Value = (Vec<Statement>, Vec<Statement>)> {
    let events = proptest::collection::vec(statements(), 0..12);
    events.prop_flat_map(|events| {
        let again = proptest::sample::subsequence(events.clone(), 0..=events.len());
        (Just(events), again).prop_flat_map(|(events, again)| {
            let all = [events.clone(), again].concat();
            (Just(events), Just(all).prop_shuffle())
        })
    })
}

#[test]
fn any_order_with_repetition_decides_alike_wherever_the_list_comes_in() {
    let mut runner = TestRunner::new(cases(600));
    let histories = (disturbed(), lists(), any::<prop::sample::Index>(), any::<bool>());
    let outcome = runner.run(&histories, |((events, disturbed), list, place, one_by_one)| {
        let mut model = Naive::new(LIMITS);
        let _ = model.apply(&events);
        let _ = model.install(&list);
        let process = Process::new(LIMITS);
        let (before, after) = disturbed.split_at(place.index(disturbed.len() + 1));
        let apply = |events: &[Statement]| {
            for events in events.chunks(if one_by_one { 1 } else { events.len().max(1) }) {
                let _ = process.apply(events);
            }
        };
        apply(before);
        let _ = process.install(&list);
        apply(after);
        process.compare(&model, "all of it", |_| {})?;
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

const LIMITS: Limits = Limits {
    max_age: 3_600,
    retention: 3_600,
    capacity: 100,
};
