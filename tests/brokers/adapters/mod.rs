//! The brokers, each with its adapter's means.

mod amqp;
mod amqp_queue;
mod amqp_stream;
mod kafka;
mod nats;
mod postgres;
mod redis;

pub(crate) use amqp::{
    Connecting, DEAD_LETTERS, Publisher, connect, connector, dead_letters, declare_dead_letters, declared,
};
pub(crate) use amqp_queue::AmqpQueue;
pub(crate) use amqp_stream::AmqpStream;
pub(crate) use kafka::{KafkaBroker, TansuBroker};
pub(crate) use nats::Nats;
pub(crate) use postgres::{ISSUER, PostgresBroker, connect as postgres_connect, source as postgres_source};
pub(crate) use redis::RedisBroker;
