//! Streams, which keep their messages.

mod source;
mod reader;
mod continuity;
mod connection;
mod consumer;
mod acks;

pub use source::AmqpStream;
