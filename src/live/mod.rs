//! Who waits: the work in flight that an event has to reach, by key.

mod index;
mod seat;
#[cfg(test)]
mod tests;
mod watchers;

pub(crate) use index::Live;
pub(crate) use seat::Seat;
