//! The brokers that can be published to.

mod memory;

pub use memory::MemoryPublisher;
