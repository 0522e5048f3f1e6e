//! `src/live`, without its unit tests: those don't run within a model.

#[path = "../../src/live/index.rs"]
mod index;
#[path = "../../src/live/seat.rs"]
mod seat;
#[path = "../../src/live/watchers.rs"]
mod watchers;

pub(crate) use index::Live;
pub(crate) use seat::Seat;
