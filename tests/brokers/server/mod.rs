//! Throwaway broker servers: each a process of its own, on a free port of 127.0.0.1, with a directory of its own.
//!
//! A server is killed when it is dropped, and by the kernel when the test process ends in whatever way.

mod running;
mod child;
mod directory;
mod nats;
mod port;
mod program;
mod rabbit;
mod redis;
mod tansu;

pub(crate) use nats::NatsServer;
pub(crate) use program::Program;
pub(crate) use rabbit::RabbitServer;
pub(crate) use redis::RedisServer;
pub(crate) use running::Running;
pub(crate) use tansu::TansuServer;
