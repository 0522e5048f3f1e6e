//! A log in two partitions that is read from a position: whatever is not settled when it is cut is read again.
//!
//! The crate's own `Watermark` says from where. The order in which it is told is that of `source/driver/run.rs`: told of what is
//! delivered, partition by partition in the order of the log, and of what is settled, in any order; asked when the log is opened again, which
//! drops all that was in hand. How a log is opened after a restart, by time, is not in the model.

use stateright::{Checker, HasDiscoveries, Model, Property};

use crate::source::position::Position;
use crate::source::watermark::Watermark;

struct Log {
    /// A bug: reading goes on after all that was delivered, settled or not.
    skips: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct PendingRead {
    partitions: [ReadPartition; PARTITIONS],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct ReadPartition {
    /// From where it was opened.
    from: usize,
    /// Up to where it was delivered.
    next: usize,
    /// Which messages are in hand.
    in_hand: [bool; MESSAGES],
    /// Which were ever settled.
    settled: [bool; MESSAGES],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Deliver(usize),
    Settle(usize, usize),
    Cut,
}

impl Model for Log {
    type State = PendingRead;
    type Action = Action;

    fn init_states(&self) -> Vec<PendingRead> {
        vec![PendingRead::default()]
    }

    fn actions(&self, reading: &PendingRead, actions: &mut Vec<Action>) {
        for (at, partition) in reading.partitions.iter().enumerate() {
            if partition.next < MESSAGES {
                actions.push(Action::Deliver(at));
            }
            let in_hand = (0..MESSAGES).filter(|message| partition.in_hand[*message]);
            actions.extend(in_hand.map(|message| Action::Settle(at, message)));
        }
        actions.push(Action::Cut);
    }

    fn next_state(&self, reading: &PendingRead, action: Action) -> Option<PendingRead> {
        let mut after = reading.clone();
        match action {
            Action::Deliver(partition) => {
                let partition = &mut after.partitions[partition];
                partition.in_hand[partition.next] = true;
                partition.next += 1;
            }
            Action::Settle(partition, message) => {
                after.partitions[partition].in_hand[message] = false;
                after.partitions[partition].settled[message] = true;
            }
            Action::Cut => {
                let resume: Vec<_> = reading.watermark().resume_after().collect();
                for (at, partition) in after.partitions.iter_mut().enumerate() {
                    let place = resume.iter().find(|place| place.partition as usize == at);
                    if !self.skips {
                        partition.next = place.map_or(0, |place| place.offset as usize + 1);
                    }
                    partition.from = partition.next;
                    partition.in_hand = [false; MESSAGES];
                }
            }
        }
        (after != *reading).then_some(after)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(NONE_IS_SKIPPED, |_, reading: &PendingRead| {
                let is_safe = |partition: &ReadPartition, message: usize| {
                    partition.settled[message] || partition.in_hand[message]
                };
                reading
                    .partitions
                    .iter()
                    .all(|partition| (0..partition.next).all(|message| is_safe(partition, message)))
            }),
            Property::sometimes("what was settled is not read again", |_, reading: &PendingRead| {
                reading.partitions[0].from == 2 && reading.partitions[1].from == 1
            }),
            Property::sometimes(
                "what was settled out of turn is read again",
                |_, reading: &PendingRead| {
                    reading
                        .partitions
                        .iter()
                        .any(|partition| partition.from == 0 && partition.settled == [false, true, true])
                },
            ),
        ]
    }
}

impl PendingRead {
    /// A watermark that was told all this since the log was opened.
    fn watermark(&self) -> Watermark {
        let mut watermark = Watermark::default();
        // What it keeps over a reopening is where each partition went on.
        for (at, partition) in self.partitions.iter().enumerate() {
            if let Some(before) = partition.from.checked_sub(1) {
                watermark.delivered(position(at, before), None);
                watermark.settled(position(at, before));
            }
        }
        watermark.reopened();
        for (at, partition) in self.partitions.iter().enumerate() {
            (partition.from..partition.next).for_each(|message| watermark.delivered(position(at, message), None));
            let settled = (partition.from..partition.next).filter(|message| !partition.in_hand[*message]);
            settled.for_each(|message| watermark.settled(position(at, message)));
        }
        watermark
    }
}

fn position(partition: usize, message: usize) -> Position {
    Position {
        partition: partition as u32,
        offset: message as u128,
    }
}

const PARTITIONS: usize = 2;
const MESSAGES: usize = 3;
const NONE_IS_SKIPPED: &str = "8: what is not settled is in hand or yet to come";

#[test]
fn nothing_that_is_not_settled_is_skipped() {
    let checker = Log { skips: false }.checker().spawn_bfs().join();
    eprintln!("{} states, {} deep", checker.unique_state_count(), checker.max_depth());
    checker.assert_properties();
    assert!(
        checker.unique_state_count() >= 4_000,
        "only {}",
        checker.unique_state_count()
    );
}

#[test]
fn going_on_after_what_was_delivered_would_skip_some() {
    let broken = HasDiscoveries::AnyFailures;
    let checker = Log { skips: true }.checker().finish_when(broken).spawn_bfs().join();
    checker.assert_any_discovery(NONE_IS_SKIPPED);
}
