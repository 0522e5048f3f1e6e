//! Restarts don't matter (invariant 2), un-revoke nothing (3) and let no older list in (4).

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::mem;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tower_revocation::journal::Journal;

use super::naive::{Held, Limits, List, Listed, Naive};
use super::process::Process;
use super::statement::{Statement, TOKENS, cases, statements};
use crate::registry::{C, Registry, list};
use crate::support::{new_directory, until_closed};

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    Apply(Vec<Statement>),
    /// The host installs a list by itself, which no journal can keep.
    Install(List),
    /// Time passes, in seconds.
    Pass(u64),
    /// The poller fetches a list.
    Poll(List),
    /// And the one that is kept once more.
    PollAgain,
    /// With the list as it was kept, or damaged.
    Restart {
        is_damaged: bool,
    },
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => proptest::collection::vec(statements(), 1..4).prop_map(Step::Apply),
        1 => lists().prop_map(Step::Install),
        2 => (1..12_u64).prop_map(|hundreds| Step::Pass(hundreds * 100)),
        4 => lists().prop_map(Step::Poll),
        2 => Just(Step::PollAgain),
        4 => (0..4_u8).prop_map(|turn| Step::Restart { is_damaged: turn == 0 }),
    ]
}

/// Lists as the registry signs them: tokens that were revoked a second before.
fn lists() -> impl Strategy<Value = List> {
    let tokens = proptest::sample::subsequence(vec![2, 3], 0..=2);
    (1..7_u64, tokens).prop_map(|(issued_at, tokens)| {
        let listed = Listed {
            is_block: true,
            at_secs: issued_at - 1,
            withdraws: true,
        };
        List {
            issued_at: Some(issued_at),
            entries: tokens.into_iter().map(|token| (token, listed)).collect(),
            is_expired: false,
        }
    })
}

/// What outlives a process, by the model.
#[derive(Debug, Default)]
struct Kept {
    /// What events said of each key, and for how long in seconds.
    rows: BTreeMap<u8, Held>,
    list: Option<List>,
    newest: Option<u64>,
    incomplete: Option<u64>,
    /// Whether the list is damaged, and nothing has made up for it.
    is_missed: bool,
    /// The list that this process wrote last.
    written: Option<List>,
}

impl Kept {
    /// The list that is kept takes over what it says and memory does not hold.
    fn tidy(&mut self, memory: &Naive) {
        if let Some(list) = self.list.as_ref().filter(|_| !self.is_missed) {
            self.rows
                .retain(|key, row| memory.said.contains_key(key) || !list.covers(*key, &row.statements));
        }
    }

    /// Whether another list is missed, and this one is too old to make up for it.
    fn misses_another_than(&self, list: &List) -> bool {
        let missed = self.list.as_ref().filter(|_| self.is_missed);
        missed.is_some_and(|missed| missed.issued_at >= list.issued_at && missed != list)
    }

    /// Whether the kept list says all that lists of its second said in this process.
    fn says_all_of(&self, memory: &Naive) -> bool {
        let kept = self.list.as_ref().filter(|_| !self.is_missed);
        let same = |kept: &List, list: &List| kept.issued_at == list.issued_at && kept.entries == list.entries;
        kept.zip(memory.list.as_ref())
            .is_some_and(|(kept, list)| same(kept, list))
    }

    /// What the next process knows before it has the list, and then.
    fn restarted(&self, mut memory: Naive) -> [Naive; 2] {
        let due = |row: &Held| row.due.max(KEPT_AFTER_RESTART) + 1;
        let held = |row: &Held| Held {
            statements: row.statements.clone(),
            due: due(row),
        };
        memory.said = self.rows.iter().map(|(key, row)| (*key, held(row))).collect();
        memory.newest = self.newest;
        // Of one that is missed, another of its second may say less.
        memory.incomplete = self.incomplete.max(self.list.as_ref().and_then(|list| list.issued_at));
        memory.is_lost = self.list.is_some() || self.incomplete.is_some();
        let before = memory.clone();
        let list = self
            .list
            .as_ref()
            .filter(|list| list.issued_at >= self.newest && !self.is_missed);
        if let Some(list) = list {
            memory.put(list.clone());
            memory.is_lost = self.incomplete.is_some();
        }
        [before, memory]
    }
}

#[test]
fn every_history_with_restarts_is_decided_as_the_model_decides() {
    let mut runner = TestRunner::new(cases(150));
    let (decisions, restarts) = (Cell::new(0), Cell::new(0));
    let histories = (any::<bool>(), proptest::collection::vec(steps(), 1..16));
    let outcome = runner.run(&histories, |(is_narrow, steps)| {
        let limits = Limits {
            max_age: 1_050,
            retention: 3_050,
            capacity: if is_narrow { 2 } else { 100 },
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let directory = new_directory();
        let (asked, restarted) = runtime.block_on(run(directory.path(), limits, &steps))?;
        decisions.set(decisions.get() + asked);
        restarts.set(restarts.get() + restarted);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    eprintln!(
        "decisions compared: {}, after {} restarts",
        decisions.get(),
        restarts.get()
    );
    assert!(restarts.get() > 50);
}

/// Runs a history, and compares all that can be asked after each step. Returns how much that was.
async fn run(directory: &Path, limits: Limits, steps: &[Step]) -> Result<(u64, u64), TestCaseError> {
    let registry = Registry::new();
    let (mut process, mut model, mut kept) = (start(directory, limits), Naive::new(limits), Kept::default());
    let (mut asked, mut restarts) = (0, 0);
    for step in steps {
        let again = kept.list.clone().map(Step::Poll);
        let step = match step {
            Step::PollAgain => again.as_ref().unwrap_or(step),
            step => step,
        };
        match step {
            Step::Apply(events) => {
                let (in_force, outcome) = model.apply(events);
                prop_assert_eq!(process.apply(events), outcome);
                for event in in_force {
                    let row = kept.rows.entry(event.key).or_default();
                    row.statements.push(event);
                    row.due = row.due.max(model.kept(&event));
                }
            }
            Step::Install(list) => {
                prop_assert_eq!(process.install(list), model.install(list).map(|_| ()));
                kept.newest = model.newest;
            }
            Step::Pass(secs) => {
                tokio::time::pause();
                tokio::time::advance(Duration::from_secs(*secs)).await;
                tokio::time::resume();
                model.now += secs;
            }
            Step::Poll(list) => {
                poll(&registry, &process, list).await;
                let outcome = model.install(list);
                match outcome {
                    Ok(true) if kept.misses_another_than(list) => {}
                    Ok(true) => {
                        // It may be what was missed, and makes up for itself.
                        if mem::take(&mut kept.is_missed) && kept.incomplete.is_none() {
                            model.is_lost = false;
                        }
                        kept.list = Some(list.clone());
                        kept.incomplete = kept.incomplete.filter(|at| Some(*at) >= list.issued_at);
                        kept.newest = model.newest;
                        // The same list once more is only confirmed.
                        if kept.written.replace(list.clone()).as_ref() != Some(list) {
                            kept.tidy(&model);
                        }
                    }
                    // A cache had one from before.
                    Ok(false) if kept.says_all_of(&model) => {}
                    Ok(false) => kept.incomplete = kept.incomplete.max(list.issued_at),
                    Err(_) => {}
                }
                let error = process.sink.status().poll.last_error;
                let is_well = outcome.is_ok() && !model.is_lost;
                prop_assert_eq!(error.is_none(), is_well, "{:?}", error);
            }
            Step::PollAgain => {}
            Step::Restart { is_damaged } => {
                restarts += 1;
                let epoch = process.epoch;
                drop(process);
                until_closed(directory);
                if *is_damaged && kept.list.is_some() {
                    kept.is_missed = true;
                    fs::write(directory.join("list"), "{").unwrap();
                }
                process = start(directory, limits);
                process.epoch = epoch;
                let [before, after] = kept.restarted(Naive::new(limits));
                process.compare(&before, "before the list", |_| asked += 1)?;
                registry.restore(&process.sink).unwrap();
                model = after;
                kept.written = None;
                kept.tidy(&model);
            }
        }
        process.compare(&model, step, |_| asked += 1)?;
        // Rows go a moment after a list is kept.
        let rows = kept.rows.len() as u64;
        let started = Instant::now();
        while entries(&process) != rows && started.elapsed() < LONGEST_SWEEP {
            std::thread::yield_now();
        }
        prop_assert_eq!(entries(&process), rows, "rows after {:?}", step);
    }
    Ok((asked, restarts))
}

fn start(directory: &Path, limits: Limits) -> Process {
    let journal = Journal::open_or_start_empty(directory).unwrap();
    let process = Process::new(limits);
    process.sink.keep_in(journal).unwrap();
    process
}

async fn poll(registry: &Registry, process: &Process, offered: &List) {
    let at = |secs: u64| process.epoch.at(secs * 2).as_unix_secs();
    let named = offered.entries.keys().map(|key| TOKENS[usize::from(*key) - 2]);
    // No list of this format is empty.
    let tokens: Vec<&str> = named.chain([C]).collect();
    let issued_at = offered.issued_at.unwrap();
    registry.publish(list(at(issued_at), at(issued_at) + 86_400, &tokens, ("k1", 7)));
    let running = registry.run(&process.sink);
    process.sink.refreshed().await;
    running.abort();
    let _ = running.await;
}

fn entries(process: &Process) -> u64 {
    process.sink.status().journal.unwrap().entries
}

/// How long to wait for rows to go.
const LONGEST_SWEEP: Duration = Duration::from_secs(5);

/// In seconds: how long an entry is kept after a restart at least.
const KEPT_AFTER_RESTART: u64 = 3_600;
