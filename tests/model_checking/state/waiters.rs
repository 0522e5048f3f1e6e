//! `src/state/waiters`, without its unit tests: they need the rest of the crate.

#[path = "../../../src/state/waiters/index.rs"]
pub(crate) mod index;
#[path = "../../../src/state/waiters/seat.rs"]
pub(crate) mod seat;
#[path = "../../../src/state/waiters/watchers.rs"]
pub(crate) mod watchers;

pub(crate) use index::Live;
pub(crate) use seat::Seat;
