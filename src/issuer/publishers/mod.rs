//! The brokers that can be published to.

#[cfg(feature = "amqp")]
mod amqp;
#[cfg(feature = "kafka")]
mod kafka;
mod memory;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "redis")]
mod redis_master;
#[cfg(feature = "redis")]
mod redis_info;

#[cfg(feature = "amqp")]
pub use amqp::AmqpPublisher;
#[cfg(feature = "kafka")]
pub use kafka::KafkaPublisher;
pub use memory::MemoryPublisher;
#[cfg(feature = "nats")]
pub use nats::NatsPublisher;
#[cfg(feature = "redis")]
pub use redis::RedisPublisher;
