//! The queue between registry and gateways: in this process, or on a broker.
//!
//! Messages are the upstream system's own, as raw bytes. One file for each broker, with the two ends of it: what the
//! registry publishes with, and the feed that a gateway reads.

mod address;
#[cfg(feature = "amqp")]
mod amqp;
mod feed;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "postgres")]
mod postgres;
mod publisher;
mod reader;
#[cfg(feature = "redis")]
mod redis;

pub(crate) use address::Address;
pub(crate) use feed::Feed;
pub(crate) use publisher::Publisher;
pub(crate) use reader::Reader;
