//! Queues, one for each replica.

mod source;
mod reader;
mod delivery;

pub use delivery::AmqpQueueDelivery;
pub use source::AmqpQueue;
