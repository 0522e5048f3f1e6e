//! Bugs that the code does not have, one at a time, and that the models find each of them: what they say of the code would be worth
//! nothing otherwise.

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model};

use crate::exhaustive::{BESIDE, FEED, MORE, ODDITIES, ORDER, ROOM, SECONDS, TAKEOVER};
use crate::machine::{Bug, Handover};
use crate::properties::{
    ALL_ORDERS_END_ALIKE, DURABLE_WHEN_ACKNOWLEDGED, EACH_ENDS_IN_ITS_WAY, NO_ROLLBACK, NOTHING_COMES_BACK,
    ONLY_WHAT_WAS_SAID_COUNTS,
};
use crate::universe::Universe;

/// Looks until it sees that property broken.
fn breaks(bug: Bug, universe: &'static Universe, property: &'static str) {
    let model = Handover {
        universe,
        bug: Some(bug),
    };
    let broken = HasDiscoveries::AllOf(BTreeSet::from([property]));
    let checker = model.checker().finish_when(broken).spawn_bfs().join();
    let path = checker.assert_any_discovery(property);
    eprintln!(
        "{bug:?}: {} states, by {:?}",
        checker.unique_state_count(),
        path.into_actions()
    );
}

#[test]
fn the_latest_to_arrive_counts() {
    breaks(Bug::LastWriteWins, &ORDER, ONLY_WHAT_WAS_SAID_COUNTS);
    breaks(Bug::LastWriteWins, &ORDER, ALL_ORDERS_END_ALIKE);
}

#[test]
fn a_row_takes_the_place_of_another() {
    breaks(Bug::ReplacesRows, &ORDER, ALL_ORDERS_END_ALIKE);
    breaks(Bug::ReplacesRows, &ORDER, NOTHING_COMES_BACK);
}

#[test]
fn a_reinstatement_lifts_newer_blocks() {
    breaks(Bug::LiftsNewer, &ORDER, NOTHING_COMES_BACK);
}

#[test]
fn another_key_makes_room() {
    breaks(Bug::Evicts, &ROOM, NOTHING_COMES_BACK);
}

#[test]
fn what_events_said_yields_to_any_list() {
    breaks(Bug::YieldsToAny, &BESIDE, NOTHING_COMES_BACK);
}

#[test]
fn rows_go_by_a_list_that_nobody_kept() {
    breaks(Bug::SweepsByInstalled, &TAKEOVER, NOTHING_COMES_BACK);
}

#[test]
fn rows_go_before_the_list_is_kept() {
    breaks(Bug::LetsGoEarly, &TAKEOVER, NOTHING_COMES_BACK);
}

/// The models found this one in the code.
#[test]
fn rows_go_by_a_list_that_a_restart_would_not_miss() {
    breaks(Bug::TrustsTheFile, &TAKEOVER, NOTHING_COMES_BACK);
}

#[test]
fn a_restart_is_open_before_the_kept_list_is_in_force() {
    breaks(Bug::OpensEarly, &TAKEOVER, NOTHING_COMES_BACK);
}

#[test]
fn an_unsigned_answer_clears_the_list() {
    breaks(Bug::TakesUnsigned, &TAKEOVER, NOTHING_COMES_BACK);
}

#[test]
fn a_list_takes_the_place_of_another_of_its_second() {
    breaks(Bug::ReplacesWithinSecond, &SECONDS, NOTHING_COMES_BACK);
    breaks(Bug::ReplacesWithinSecond, &SECONDS, ONLY_WHAT_WAS_SAID_COUNTS);
}

#[test]
fn a_restart_forgets_that_the_kept_list_says_too_little() {
    breaks(Bug::ForgetsIncomplete, &SECONDS, NOTHING_COMES_BACK);
}

/// And this one.
#[test]
fn a_restart_misses_lists_of_one_second_only_if_one_was_kept() {
    breaks(Bug::MissesTheKeptAlone, &SECONDS, NOTHING_COMES_BACK);
}

/// A minute of chaos found this one in the code.
#[test]
fn any_list_of_its_second_makes_up_for_one_that_is_lost() {
    breaks(Bug::MakesGoodByAnother, &SECONDS, NOTHING_COMES_BACK);
}

#[test]
fn any_list_of_its_second_is_kept_instead_of_one_that_is_lost() {
    breaks(Bug::KeepsAnother, &SECONDS, NOTHING_COMES_BACK);
}

/// The models found this one in the code while it was mended.
#[test]
fn rows_go_by_a_list_of_which_a_restart_would_miss_another_one() {
    breaks(Bug::TrustsTheSecond, &MORE, NOTHING_COMES_BACK);
}

#[test]
fn a_restart_believes_a_stale_copy() {
    breaks(Bug::ForgetsNewest, &TAKEOVER, NO_ROLLBACK);
}

#[test]
fn a_list_from_the_future_is_installed() {
    breaks(Bug::BelievesTheFuture, &TAKEOVER, NO_ROLLBACK);
}

#[test]
fn a_message_is_acknowledged_before_it_is_durable() {
    breaks(Bug::AcknowledgesEarly, &FEED, DURABLE_WHEN_ACKNOWLEDGED);
}

#[test]
fn nonsense_is_dropped_without_a_trace() {
    breaks(Bug::DropsNonsense, &ODDITIES, EACH_ENDS_IN_ITS_WAY);
}
