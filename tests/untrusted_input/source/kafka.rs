//! The protocol of Kafka.

#[path = "../../../src/source/kafka/wire/mod.rs"]
pub(crate) mod wire;
