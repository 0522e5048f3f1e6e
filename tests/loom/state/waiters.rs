//! `src/state/waiters`, without its unit tests: those do not run within a model.

#[path = "../../../src/state/waiters/index.rs"]
pub(crate) mod index;
#[path = "../../../src/state/waiters/waiter.rs"]
pub(crate) mod waiter;
#[path = "../../../src/state/waiters/waiters_of_key.rs"]
pub(crate) mod waiters_of_key;

pub(crate) use index::WaiterIndex;
pub(crate) use waiter::Waiter;
