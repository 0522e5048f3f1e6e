//! The universes, and that all holds in every state of each.

use std::thread;
use std::time::Instant;

use stateright::{Checker, Expectation, Model};

use crate::machine::Handover;
use crate::properties::{
    CLOSED, FILE_ALONE, FORGOTTEN, INCOMPLETE, JOINED, LET_GO, MISSED, NOT_DURABLE, OUTDATED, REDELIVERED, SETTLED,
    TAKEN_BACK, TAKEN_OVER, TRIED_AGAIN, UNKEPT_IS_LOST,
};
use crate::universe::{EVERYTHING, KEYS, List, Message, SUBJECT, Saying, TOKEN, Universe, What};

/// Events alone: the same in any order, twice, and after any crash; with messages that are given up.
pub(crate) static FEED: Universe = Universe {
    messages: &[
        says(SUBJECT, What::Block, 10_300),
        says(SUBJECT, What::Reinstatement, 12_000),
        says(TOKEN, What::CutOff, 20_000),
    ],
    lists: &[],
    capacity: 9,
    forgets: false,
    loses_list: false,
    gives_up: true,
};

/// Two keys, and room for one.
pub(crate) static ROOM: Universe = Universe {
    messages: &[
        says(SUBJECT, What::Block, 10_300),
        says(SUBJECT, What::CutOff, 11_000),
        says(TOKEN, What::CutOff, 20_000),
    ],
    lists: &[],
    capacity: 1,
    forgets: false,
    loses_list: false,
    gives_up: true,
};

/// A subject that is blocked, reinstated and blocked again, and a cut-off for everybody.
pub(crate) static ORDER: Universe = Universe {
    messages: &[
        says(SUBJECT, What::Block, 10_300),
        says(SUBJECT, What::Reinstatement, 12_000),
        says(SUBJECT, What::Block, 14_000),
        says(EVERYTHING, What::CutOff, 8_000),
    ],
    lists: &[],
    capacity: 9,
    forgets: false,
    loses_list: false,
    gives_up: false,
};

/// What the queue brings besides revocations.
pub(crate) static ODDITIES: Universe = Universe {
    messages: &[
        says(SUBJECT, What::Block, 10_300),
        says(SUBJECT, What::Reinstatement, 50_000),
        Message::Foreign,
        Message::Malformed,
    ],
    lists: &[],
    capacity: 9,
    forgets: false,
    loses_list: false,
    gives_up: false,
};

/// An event, a list that takes over what it said, one from before it and one that takes it back; and one from the future.
pub(crate) static TAKEOVER: Universe = Universe {
    messages: &[says(SUBJECT, What::Block, 12_300)],
    lists: &[
        signed(10, [None, None]),
        signed(20, [None, Some(15)]),
        signed(30, [None, None]),
        signed(50, [None, None]),
    ],
    capacity: 9,
    forgets: false,
    loses_list: false,
    gives_up: false,
};

/// Two events, of which lists carry one.
pub(crate) static BESIDE: Universe = Universe {
    messages: &[says(TOKEN, What::Block, 5_300), says(SUBJECT, What::Block, 12_300)],
    lists: &[signed(10, [Some(5), None]), signed(20, [Some(5), None])],
    capacity: 9,
    forgets: false,
    loses_list: false,
    gives_up: false,
};

/// Two lists of one second that say different things, and a newer one.
pub(crate) static SECONDS: Universe = Universe {
    messages: &[says(TOKEN, What::Block, 5_300)],
    lists: &[
        signed(20, [Some(5), None]),
        signed(20, [None, Some(15)]),
        signed(30, [None, None]),
    ],
    capacity: 9,
    forgets: false,
    loses_list: true,
    gives_up: false,
};

/// Two lists of one second, of which one says all that the other does.
pub(crate) static MORE: Universe = Universe {
    messages: &[says(TOKEN, What::Block, 5_300)],
    lists: &[signed(20, [None, Some(15)]), signed(20, [Some(5), Some(15)])],
    capacity: 9,
    forgets: false,
    loses_list: true,
    gives_up: false,
};

/// A listed subject that an event reinstates, and whose time comes to an end.
pub(crate) static RETENTION: Universe = Universe {
    messages: &[
        says(SUBJECT, What::Block, 8_300),
        says(SUBJECT, What::Reinstatement, 12_000),
    ],
    lists: &[signed(10, [None, Some(8)])],
    capacity: 9,
    forgets: true,
    loses_list: false,
    gives_up: false,
};

const fn says(key: usize, what: What, at: u16) -> Message {
    Message::Says(Saying { key, what, at })
}

/// Of token and subject.
const fn signed(issued_at: u8, [token, subject]: [Option<u8>; KEYS - 1]) -> List {
    List {
        issued_at: Some(issued_at),
        blocks: [token, subject, None],
    }
}

/// Looks at every state, and at how many there are: a model that shrinks unnoticed would hold anyway.
fn explore(universe: &'static Universe, at_least: usize, reached: &[&'static str]) {
    let started = Instant::now();
    let checker = Handover { universe, bug: None }.checker().spawn_bfs().join();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    let thread = thread::current();
    let name = thread.name().unwrap_or_default();
    eprintln!("{name}: {states} states, {depth} deep, in {:?}", started.elapsed());
    for property in checker.model().properties() {
        match property.expectation {
            Expectation::Sometimes if reached.contains(&property.name) => {
                checker.assert_any_discovery(property.name);
            }
            Expectation::Sometimes => {}
            _ => checker.assert_no_discovery(property.name),
        }
    }
    assert!(states >= at_least, "only {states} states");
}

#[test]
fn what_events_say_is_the_same_in_any_order_and_after_any_crash() {
    explore(&FEED, 15_000, &[SETTLED, TRIED_AGAIN, REDELIVERED, NOT_DURABLE]);
}

#[test]
fn without_room_nothing_makes_any() {
    explore(&ROOM, 4_000, &[TRIED_AGAIN, REDELIVERED]);
}

#[test]
fn blocks_reinstatements_and_cut_offs_come_in_any_order() {
    explore(&ORDER, 6_000, &[SETTLED, REDELIVERED, NOT_DURABLE]);
}

#[test]
fn every_message_ends_in_its_own_way() {
    explore(&ODDITIES, 500, &[SETTLED, REDELIVERED]);
}

#[test]
fn a_list_takes_over_from_events_and_a_newer_one_takes_back() {
    let reached = [
        TAKEN_OVER,
        LET_GO,
        TAKEN_BACK,
        CLOSED,
        OUTDATED,
        FILE_ALONE,
        UNKEPT_IS_LOST,
    ];
    explore(&TAKEOVER, 17_000, &reached);
}

#[test]
fn what_lists_do_not_carry_stays_beside_them() {
    explore(
        &BESIDE,
        35_000,
        &[SETTLED, TAKEN_OVER, LET_GO, CLOSED, OUTDATED, FILE_ALONE],
    );
}

#[test]
fn of_two_lists_of_one_second_neither_takes_back_what_the_other_says() {
    explore(&SECONDS, 38_000, &[SETTLED, JOINED, INCOMPLETE, TAKEN_BACK, MISSED]);
}

#[test]
fn of_two_lists_of_one_second_the_one_that_says_all_is_kept() {
    explore(&MORE, 15_000, &[SETTLED, JOINED, INCOMPLETE, LET_GO, MISSED]);
}

#[test]
fn only_the_end_of_its_time_makes_anything_forgotten() {
    explore(&RETENTION, 40_000, &[FORGOTTEN, TAKEN_OVER, CLOSED]);
}
