//! Streams, which keep their messages.

#[cfg(feature = "issuer")]
mod stream_log;
mod source;
mod reader;
mod continuity;
mod connection;
mod consumer;
mod acks;

pub use source::AmqpStream;
#[cfg(feature = "issuer")]
pub(crate) use stream_log::StreamLog;
