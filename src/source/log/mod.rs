//! What logs share: a log keeps its messages, and each replica remembers by itself how far it came.

#[cfg(any(feature = "kafka", feature = "redis"))]
mod read_ahead;
mod caught_up;
mod delivery;

pub(crate) use caught_up::CaughtUp;
pub use delivery::{LogDeadLetters, LogDelivery, Storing};
#[cfg(any(feature = "kafka", feature = "redis"))]
pub(crate) use read_ahead::{Batch, ReadAhead, ReadBatches};
