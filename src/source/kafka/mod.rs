//! Topics of Kafka, and of servers that speak its protocol (feature `kafka`).
//!
//! Every replica reads all partitions of the topic by itself, without a group, so that none takes a message away from another,
//! and remembers by itself how far it came.
//!
//! ```no_run
//! # use std::time::Duration;
//! # use rskafka::client::{ClientBuilder, error::Error};
//! # use tower_revocation::source::{self, kafka::KafkaSource};
//! # use tower_revocation::{Decode, EventSink};
//! # async fn example(decode: impl Decode + Send + Sync + 'static, sink: EventSink) -> Result<(), Error> {
//! let client = ClientBuilder::new(vec!["127.0.0.1:9092".to_owned()]).build().await?;
//! let topic = KafkaSource::new(client, "revocations").with_dead_letters("revocations-dead");
//! tokio::spawn(source::drive(topic, decode, sink).run());
//! # Ok(())
//! # }
//! ```
//!
//! What the topic should be like:
//!
//! - **One partition.** Between partitions there is no order, and each costs a connection. Partitions that are added are
//!   found within a minute.
//! - **`message.timestamp.type=LogAppendTime`**: the time of messages is by default what their publisher says.
//! - **Retention by time**, for longer than the lists need: what is still there from before a time is the proof that nothing
//!   after that time was dropped. A topic that is brand new counts as a gap once, and lists make up for that. No compaction.
//!
//! TLS, credentials and compression are the client's own: turn on the `rskafka` crate's features for them, `compression-*`
//! too if publishers compress. Messages of transactions are read whether or not these are aborted.
//!
//! # Stability
//!
//! The client is the [`rskafka`] crate's, and is given out again here. A release of that crate that breaks its own users counts
//! as a minor release of this one.
//!
//! # Security
//!
//! Have the issuer publish with `acks=all`, and leave `unclean.leader.election.enable` off: a message that was confirmed, read
//! by nobody and lost in a failover is not noticed. That messages which were read are no longer there is noticed, and is a gap:
//! when the topic is opened anew, and every 10 seconds.

mod source;
mod reader;
mod continuity;
mod partition;
mod dead_letters;
mod connection;

pub use rskafka;
pub use source::KafkaSource;
