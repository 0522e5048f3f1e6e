//! Throwaway broker servers: each a process of its own, on a free port of 127.0.0.1, with a directory of its own.
//!
//! A server is killed when it is dropped, and by the kernel when the test process ends in whatever way.

mod running;
mod child;
mod directory;
mod kafka;
mod nats;
mod port;
mod postgres;
mod program;
mod rabbit;
mod redis;
mod tansu;

#[allow(unused_imports, reason = "not all tests start programs of their own")]
pub(crate) use child::Child;
#[allow(unused_imports, reason = "not all tests have directories of their own")]
pub(crate) use directory::new_directory;
#[allow(unused_imports, reason = "not all tests start one")]
pub(crate) use kafka::{Kafka, KafkaServer, kafka_jars};
pub(crate) use nats::NatsServer;
#[allow(unused_imports, reason = "not all tests configure servers")]
pub(crate) use nats::nats_server;
#[allow(unused_imports, reason = "not all tests choose ports")]
pub(crate) use port::free_port;
#[allow(unused_imports, reason = "not all tests start one")]
pub(crate) use postgres::{Postgres, PostgresServer, as_nobody, processes, processes_are_gone};
#[allow(unused_imports, reason = "not all tests are for all of them")]
pub(crate) use program::Program;
#[allow(unused_imports, reason = "not all tests start programs of their own")]
pub(crate) use program::installed;
pub(crate) use rabbit::RabbitServer;
pub(crate) use redis::RedisServer;
#[allow(unused_imports, reason = "not all tests configure servers")]
pub(crate) use redis::redis_server;
pub(crate) use running::Running;
#[allow(unused_imports, reason = "not all tests name it")]
pub(crate) use tansu::{Tansu, TansuServer};
