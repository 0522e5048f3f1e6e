//! The brokers that can be published to.

mod memory;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "redis")]
mod redis_info;

pub use memory::MemoryPublisher;
#[cfg(feature = "nats")]
pub use nats::NatsPublisher;
#[cfg(feature = "redis")]
pub use redis::RedisPublisher;
