//! Streams of Redis, and of servers that speak like it (feature `redis`).
//!
//! Every replica reads the stream by itself, without a consumer group, so that none takes a message away from another, and
//! remembers by itself how far it came. An issuer publishes with
//!
//! ```text
//! XADD revocations MINID ~ 1767225600000 * d <payload>
//! ```
//!
//! `MINID` with the time before which messages may be forgotten, for example those of a week ago. What is still there from
//! before a time is the proof that nothing after that time was trimmed, so keep more than the lists need: a stream that is
//! brand new counts as a gap once, and lists make up for that.
//!
//! ```no_run
//! # use tower_revocation::source::{self, redis::RedisSource};
//! # use tower_revocation::{Decode, EventSink};
//! # async fn example(decode: impl Decode + Send + Sync + 'static, sink: EventSink) -> redis::RedisResult<()> {
//! let client = redis::Client::open("redis://127.0.0.1/")?;
//! let stream = RedisSource::new(client, "revocations").with_dead_letters("revocations:dead");
//! tokio::spawn(source::drive(stream, decode, sink).run());
//! # Ok(())
//! # }
//! ```
//!
//! TLS, credentials and the choice of protocol are the client's own: turn on the `redis` crate's features for them. The
//! client is for one server; for a cluster, give it the node that holds the key, or a proxy.
//!
//! # Stability
//!
//! The client is the [`redis`] crate's, and is given out again here. A major release of that crate is a minor release of
//! this one.
//!
//! # Security
//!
//! A server confirms what it only has in memory: without `appendonly yes` a restart loses everything, and replicas lag behind.
//! A loss of messages that were read before is noticed, and is a gap. A message that was confirmed, read by nobody, and lost
//! in a failover is not: have the issuer `WAIT` for a replica, or set `min-replicas-to-write`.
//!
//! From Redis 7.0 on, the server counts what was ever added, and by that a loss is noticed while reading, too, within a second.
//! Older servers do not count; then what is dropped faster than it is read may go unnoticed, unless the reading lags a lot.

mod source;
mod reader;
mod continuity;
mod info;
mod entry;
mod dead_letters;
mod connection;

pub use ::redis;
pub use source::RedisSource;
