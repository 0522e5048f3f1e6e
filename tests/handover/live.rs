//! `src/live`, without its unit tests: they need the rest of the crate.

#[path = "../../src/live/index.rs"]
mod index;
#[path = "../../src/live/seat.rs"]
mod seat;
#[path = "../../src/live/watchers.rs"]
mod watchers;

pub(crate) use index::Live;
pub(crate) use seat::Seat;
