//! What holds in every state, by the numbers of DESIGN.md's invariants; and what is reached at all, so that none of it holds for
//! want of anything happening.

use stateright::Property;

use crate::ledger::{Set, is_refused};
use crate::machine::Handover;
use crate::memory::Answer;
use crate::universe::{KEYS, LEEWAY, Message, NOW, PROBES, Universe};
use crate::world::{AtBroker, Ending, InHand, Letter, World};

pub(crate) fn all() -> Vec<Property<Handover>> {
    let mut all = always();
    all.extend(sometimes());
    all
}

fn always() -> Vec<Property<Handover>> {
    vec![
        Property::always(ONLY_WHAT_WAS_SAID_COUNTS, |model: &Handover, world: &World| {
            let ledger = &world.ledger;
            PROBES
                .into_iter()
                .zip(world.process.memory.answers)
                .all(|(probe, answer)| {
                    (answer == Answer::Revoked) == is_refused(model.universe, ledger.heard, ledger.lists, probe)
                })
        }),
        Property::always(ALL_ORDERS_END_ALIKE, all_orders_end_alike),
        Property::always(NOTHING_COMES_BACK, |_: &Handover, world: &World| {
            let answers = world.process.memory.answers.into_iter();
            answers
                .zip(world.ledger.owed)
                .all(|(answer, is_owed)| !is_owed || answer != Answer::Admitted)
        }),
        Property::always(NO_ROLLBACK, |model: &Handover, world: &World| {
            let installed = world.process.memory.list.map(|list| list.issued_at.unwrap_or_default());
            let file = world.disk.file.map(|list| model.universe.lists[list].issued_at);
            installed.is_none_or(|at| at >= world.ledger.newest && at <= NOW + LEEWAY)
                && file.is_none_or(|at| at >= Some(world.ledger.newest_in_file))
        }),
        Property::always(DURABLE_WHEN_ACKNOWLEDGED, |_: &Handover, world: &World| {
            !world.ledger.is_early
        }),
        Property::always(EACH_ENDS_IN_ITS_WAY, |model: &Handover, world: &World| {
            let ends = model.universe.messages.iter().zip(world.messages);
            ends.into_iter().all(|(message, letter)| match letter.broker {
                AtBroker::Held => true,
                AtBroker::Gone(ending) => is_fit(model, *message, ending),
            })
        }),
    ]
}

/// Which universe reaches which of these its test says.
fn sometimes() -> Vec<Property<Handover>> {
    vec![
        Property::sometimes(SETTLED, is_settled),
        Property::sometimes(TAKEN_OVER, |_: &Handover, world: &World| {
            let memory = &world.process.memory;
            let is_listed = |key: usize| memory.list.is_some_and(|list| list.blocks[key].is_some());
            (0..KEYS).any(|key| is_listed(key) && memory.said[key].is_none() && world.disk.pages.rows[key].is_some())
        }),
        Property::sometimes(LET_GO, |_: &Handover, world: &World| {
            let is_applied = world.messages[0].broker == AtBroker::Gone(Ending::Applied);
            is_applied && world.disk.pages.rows == [None; KEYS] && world.disk.file.is_some()
        }),
        Property::sometimes(TAKEN_BACK, |_: &Handover, world: &World| {
            let is_carried = |at: usize| world.ledger.carried[PROBES[at].key].is_some();
            (0..PROBES.len()).any(|at| is_carried(at) && world.process.memory.answers[at] == Answer::Admitted)
        }),
        Property::sometimes(CLOSED, |_: &Handover, world: &World| {
            !world.process.is_restored && world.process.memory.answers.contains(&Answer::Unavailable)
        }),
        Property::sometimes(OUTDATED, |_: &Handover, world: &World| {
            let memory = &world.process.memory;
            world.process.is_restored && world.disk.file.is_some() && memory.needs_list && memory.list.is_none()
        }),
        Property::sometimes(FILE_ALONE, |model: &Handover, world: &World| {
            let file = world.disk.file.and_then(|list| model.universe.lists[list].issued_at);
            !world.process.is_restored && file > world.disk.pages.issued
        }),
        Property::sometimes(JOINED, |_: &Handover, world: &World| {
            world.ledger.lists.0.count_ones() == 2
        }),
        Property::sometimes(INCOMPLETE, |_: &Handover, world: &World| {
            let memory = &world.process.memory;
            memory.list.is_some() && world.disk.pages.incomplete.is_some() && memory.needs_list
        }),
        Property::sometimes(MISSED, |_: &Handover, world: &World| {
            let (process, pages) = (&world.process, &world.disk.pages);
            let is_missed = process.missed.is_some() && pages.incomplete.is_none() && process.memory.needs_list;
            is_missed && process.memory.list.is_some_and(|list| Some(list) != pages.digest)
        }),
        Property::sometimes(TRIED_AGAIN, |_: &Handover, world: &World| {
            world.messages.iter().any(|letter| letter.hand == InHand::Failed)
        }),
        Property::sometimes(REDELIVERED, |_: &Handover, world: &World| {
            let comes_again = |letter: &Letter| letter.broker != AtBroker::Held && letter.hand != InHand::Nothing;
            world.messages.iter().any(comes_again)
        }),
        Property::sometimes(NOT_DURABLE, |_: &Handover, world: &World| {
            let is_idle = world.messages.iter().all(|letter| letter.hand == InHand::Nothing);
            is_idle && world.ledger.heard.0 & !world.ledger.rows.0 != 0
        }),
        Property::sometimes(FORGOTTEN, |_: &Handover, world: &World| {
            let is_gone = world.process.memory.said == [None; KEYS] && world.disk.pages.rows == [None; KEYS];
            is_gone && world.ledger.over.contains(&true)
        }),
        Property::sometimes(UNKEPT_IS_LOST, |_: &Handover, world: &World| {
            let installed = world.process.memory.list.and_then(|list| list.issued_at);
            let carries_none = world
                .process
                .memory
                .list
                .is_some_and(|list| list.blocks == [None; KEYS]);
            installed.is_some_and(|at| at == 10) && carries_none && world.ledger.carried != [None; KEYS]
        }),
    ]
}

/// Once each message is settled and the newest list is in force, no more than what was said decides; but for whether a list that is
/// not in force any more once took over what an event said.
fn all_orders_end_alike(model: &Handover, world: &World) -> bool {
    if !is_settled(model, world) {
        return true;
    }
    let universe = model.universe;
    let lists = newest(universe);
    let applied = |message: &usize| world.messages[*message].broker == AtBroker::Gone(Ending::Applied);
    let said = Set::of_those((0..universe.messages.len()).filter(applied));
    let may_be_taken_over = |message: &usize| {
        universe.saying(*message).is_some_and(|saying| {
            let older = universe
                .lists
                .iter()
                .filter(|list| list.issued_at < Some(universe.newest()));
            older
                .filter_map(|list| list.blocks[saying.key])
                .any(|at| saying.at / 1000 <= u16::from(at))
        })
    };
    let sure =
        Set::of_those((0..universe.messages.len()).filter(|message| applied(message) && !may_be_taken_over(message)));
    PROBES
        .into_iter()
        .zip(world.process.memory.answers)
        .all(|(probe, answer)| {
            let by_all = is_refused(universe, said, lists, probe);
            let by_sure = is_refused(universe, sure, lists, probe);
            by_all != by_sure || by_all == (answer == Answer::Revoked)
        })
}

/// Whether nothing is left to be said; and nothing was given up or forgotten.
fn is_settled(model: &Handover, world: &World) -> bool {
    let universe = model.universe;
    let is_given_up = |message: usize| {
        let saying = universe.saying(message);
        saying.is_some_and(|saying| !saying.is_from_future())
            && world.messages[message].broker == AtBroker::Gone(Ending::DeadLetter)
    };
    world.is_settled(universe.messages.len())
        && world.ledger.lists == newest(universe)
        && !world.process.memory.needs_list
        && !world.ledger.over.contains(&true)
        && !(0..universe.messages.len()).any(is_given_up)
}

/// All lists of the newest second.
fn newest(universe: &Universe) -> Set {
    let is_newest = |list: &usize| universe.lists[*list].issued_at == Some(universe.newest());
    Set::of_those((0..universe.lists.len()).filter(is_newest))
}

/// Whether a message of this kind may end so.
fn is_fit(model: &Handover, message: Message, ending: Ending) -> bool {
    match (message, ending) {
        (Message::Malformed, Ending::DeadLetter) | (Message::Foreign, Ending::Ignored) => true,
        (Message::Says(saying), Ending::Applied) => !saying.is_from_future(),
        (Message::Says(saying), Ending::DeadLetter) => saying.is_from_future() || model.universe.gives_up,
        _ => false,
    }
}

pub(crate) const ONLY_WHAT_WAS_SAID_COUNTS: &str = "2: a decision depends on what was said, and on nothing else";
pub(crate) const ALL_ORDERS_END_ALIKE: &str = "2: every order ends in the same decisions";
pub(crate) const NOTHING_COMES_BACK: &str = "3: nothing comes back by accident";
pub(crate) const NO_ROLLBACK: &str = "4: no list is older than one before it, and none is from the future";
pub(crate) const DURABLE_WHEN_ACKNOWLEDGED: &str = "8: what is acknowledged is durable";
pub(crate) const EACH_ENDS_IN_ITS_WAY: &str = "8: every message ends in the one way that is its own";

pub(crate) const SETTLED: &str = "all is said, and nothing is left to be done";
pub(crate) const TAKEN_OVER: &str = "a list takes over what an event said";
pub(crate) const LET_GO: &str = "a row goes because the kept list says it";
pub(crate) const TAKEN_BACK: &str = "what a list carried is admitted again";
pub(crate) const CLOSED: &str = "a restart is closed until the kept list is in force";
pub(crate) const OUTDATED: &str = "a kept list that is out of date stays out, and everybody with it";
pub(crate) const FILE_ALONE: &str = "a crash comes between the file and what the database says of it";
pub(crate) const JOINED: &str = "two lists of one second are in force";
pub(crate) const INCOMPLETE: &str = "the kept list is in force, and known to say too little";
pub(crate) const MISSED: &str = "the kept list is lost, and another of its second in force";
pub(crate) const TRIED_AGAIN: &str = "an event finds no room, or is not durable";
pub(crate) const REDELIVERED: &str = "a message comes again that was acknowledged";
pub(crate) const NOT_DURABLE: &str = "an event is in force that the journal does not have";
pub(crate) const FORGOTTEN: &str = "what was said is forgotten everywhere";

/// A list is in force before it is on disk, since no revocation waits for a disk. A crash in between takes it, and its second.
pub(crate) const UNKEPT_IS_LOST: &str = "after a list that nobody kept and a crash, an older one is installed";
