//! Histories of one process: events, lists, time that passes; decided as the model decides.

use std::cell::RefCell;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::naive::{Decision, Limits, List, Listed, Naive};
use super::process::{Process, declined};
use super::statement::{AHEAD, KEYS, Statement, cases, statements};

#[test]
fn every_history_is_decided_as_the_model_decides() {
    let mut runner = TestRunner::new(cases(2_000));
    let tally = RefCell::new(Tally::default());
    let histories = (limits(), proptest::collection::vec(steps(), 1..24));
    let outcome = runner.run(&histories, |(limits, steps)| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(run(limits, &steps, &tally))
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    tally.borrow().report();
}

/// Runs a history, and compares all that can be asked after each step.
async fn run(limits: Limits, steps: &[Step], tally: &RefCell<Tally>) -> Result<(), TestCaseError> {
    let (process, mut model) = (Process::new(limits), Naive::new(limits));
    let mut messages: Vec<Vec<Statement>> = Vec::new();
    for step in steps {
        match step {
            Step::Apply(events) => {
                prop_assert_eq!(process.apply(events), model.apply(events).1);
                messages.push(events.clone());
            }
            Step::Again(_) if messages.is_empty() => {}
            Step::Again(which) => {
                let events = which.get(&messages);
                prop_assert_eq!(process.apply(events), model.apply(events).1);
            }
            Step::Confirm => prop_assert_eq!(process.sink.confirm().map_err(declined), model.confirm()),
            Step::Install(list) => prop_assert_eq!(process.install(list), model.install(list).map(|_| ())),
            Step::Pass(secs) => {
                tokio::time::advance(Duration::from_secs(*secs)).await;
                model.now += secs;
            }
        }
        let held = process.sink.status().overlay.entries;
        prop_assert_eq!(held, model.keys(), "after {:?}", step);
        process.compare(&model, step, |decision| tally.borrow_mut().note(decision))?;
    }
    Ok(())
}

/// How often what was decided.
#[derive(Debug, Default)]
struct Tally([u64; 4]);

impl Tally {
    fn note(&mut self, decision: Decision) {
        self.0[decision as usize] += 1;
    }

    /// Whoever decides nothing, or the same each time, has tested nothing.
    fn report(&self) {
        eprintln!("decisions compared: {}", self.0.iter().sum::<u64>());
        assert!(self.0.iter().all(|count| *count > 1_000), "{self:?}");
    }
}

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    /// An earlier message is delivered once more.
    Again(prop::sample::Index),
    Apply(Vec<Statement>),
    Confirm,
    Install(List),
    /// Time passes, in seconds.
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => proptest::collection::vec(statements(), 1..4).prop_map(Step::Apply),
        2 => any::<prop::sample::Index>().prop_map(Step::Again),
        4 => lists().prop_map(Step::Install),
        1 => Just(Step::Install(List::none())),
        1 => Just(Step::Confirm),
        3 => (1..12_u64).prop_map(|hundreds| Step::Pass(hundreds * 100)),
    ]
}

/// Room for two keys, or for all; and a retention that ends between two looks for what may be forgotten, or later.
fn limits() -> impl Strategy<Value = Limits> {
    let (capacity, retention) = (prop_oneof![Just(2), Just(100)], prop_oneof![Just(350), Just(3_050)]);
    (capacity, retention).prop_map(|(capacity, retention)| Limits {
        max_age: 1_050,
        retention,
        capacity,
    })
}

/// Lists of a few seconds: older ones, newer ones, of the same second, shrunk ones, one from the future.
pub(crate) fn lists() -> impl Strategy<Value = List> {
    let entry = (any::<bool>(), 0..7_u64, any::<bool>()).prop_map(|(is_block, at_secs, withdraws)| Listed {
        is_block,
        at_secs,
        withdraws,
    });
    let entries = proptest::collection::btree_map(0..KEYS, entry, 0..4);
    let issued_at = prop_oneof![12 => 0..6_u64, 1 => Just(AHEAD / 2)];
    (issued_at, entries, any::<bool>()).prop_map(|(issued_at, entries, is_expired)| List {
        issued_at: Some(issued_at),
        entries,
        is_expired,
    })
}
