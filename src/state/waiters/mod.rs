//! Waiters: the work in flight that an event has to reach, by key.

mod index;
mod waiters_of_key;
mod waiter;
#[cfg(test)]
mod tests;

pub(crate) use index::WaiterIndex;
pub(crate) use waiter::Waiter;
