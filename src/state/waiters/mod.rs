//! Who waits: the work in flight that an event has to reach, by key.

mod index;
mod watchers;
mod seat;
#[cfg(test)]
mod tests;

pub(crate) use index::Live;
pub(crate) use seat::Seat;
