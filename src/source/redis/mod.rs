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
//! Keep each entry below what your link carries in a second: each look at the stream brings its first and its last.
//!
//! # Credentials and TLS
//!
//! Both are the client's own. For TLS, turn on the `redis` crate's feature `tokio-rustls-comp`, and choose a provider of cryptography
//! where the program starts (`rustls::crypto::ring::default_provider().install_default()`): without one, connecting panics, which shows
//! in the status, again and again. For passwords, tokens and certificates that are replaced while the program runs, give the source
//! what makes a client: [`RedisSource::connecting`].
//!
//! # Who is read
//!
//! - **One server**, or an address that leads to whichever is the master: [`RedisSource::new`]. A feed is live only while that server
//!   is a master that has its replicas ([`RedisSource::with_replicas`]).
//! - **Sentinel**: [`RedisSource::with_sentinels`]. The feed is live only while more than half of the Sentinels name the server that is
//!   read.
//! - **Redis Cluster**: any node, and others for when it is away ([`RedisSource::with_nodes`]). The node that has the stream is followed.
//! - **A replica**: give its address. The feed is live only while the replica is connected to its master, and heard of it lately
//!   ([`RedisSource::with_replica_age`]): up to 12 seconds by default, what it says may be behind.
//!
//! Why a feed is not live, though it reads, is in the log: a warning that the end of the stream is not known.
//!
//! # What is noticed
//!
//! From Redis 7.0 on, the server counts what was ever added. The source counts what it reads, and goes on counting after it was away.
//! So each entry that was taken from the stream before it was read is noticed within a second of reading, or at the end of what came in
//! after a cut: then the loop has a list fetched. The last entry is recognized by all that it holds, at each look and each opening, so
//! that entries under numbers that were given out again after a failover are read.
//!
//! An issuer may give its entries numbers of its own (`XADD revocations 4711-0 …`). They have to be less than 10¹² in their first part,
//! or be milliseconds since 1970. Since they say nothing of when an entry was added, a first start then reads the whole stream, and is a
//! gap unless everything that was ever added is there.
//!
//! Older servers do not count; then what is dropped faster than it is read may go unnoticed, unless the reading lags a lot, and what is
//! deleted always does.
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
//! in a failover is not: have the issuer `WAIT` for all replicas, or set `min-replicas-to-write`.
//!
//! Two entries that hold the same under the same number are the same to this source: have messages carry an id or a time.

mod source;
mod reader;
mod answer_size;
mod continuity;
mod questions;
mod info;
mod entry;
mod authority;
mod replication;
mod dead_letters;
mod sentinels;
mod connection;

pub use ::redis;
#[cfg(feature = "issuer")]
pub(crate) use connection::{ClientProvider, Node, connect, words};
#[cfg(feature = "issuer")]
pub(crate) use sentinels::Sentinels;
pub use source::RedisSource;
