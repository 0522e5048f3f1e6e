//! Topics of Kafka, and of servers that speak its protocol (feature `kafka`).
//!
//! Every replica reads all partitions of the topic by itself, without a group, so that none takes a message away from another,
//! and remembers by itself how far it came.
//!
//! ```no_run
//! use tower_revocation::source::kafka::{KafkaConfig, KafkaSource, Sasl, SaslMechanism, rustls};
//! use tower_revocation::source::{self, EventSource};
//! # use tower_revocation::{Decode, EventSink};
//!
//! # fn example(tls: rustls::ClientConfig, password: String, decode: impl Decode + Send + Sync + 'static, sink: EventSink) {
//! let cluster = KafkaConfig::new(["kafka-1:9093", "kafka-2:9093", "kafka-3:9093"])
//!     .with_tls(tls)
//!     .with_sasl(Sasl::password(SaslMechanism::ScramSha512, "gateway", password));
//! let topic = KafkaSource::new(cluster, "revocations").with_dead_letters("revocations-dead");
//! tokio::spawn(source::drive(topic, decode, sink).run());
//! # }
//! ```
//!
//! What the topic should be like:
//!
//! - **One partition.** Between partitions there is no order, and each costs a connection. Partitions that are added are
//!   found within seconds.
//! - **`message.timestamp.type=LogAppendTime`**: the time of messages is by default what their publisher says, and retention
//!   goes by that. A message that says it is a year old is gone a moment after it was published.
//! - **Retention by time**, for longer than the lists need: what is still there from before a time is the proof that nothing
//!   after that time was dropped. A topic that is brand new counts as a gap once, and lists make up for that.
//! - **No compaction** (`cleanup.policy=delete`): it keeps the last message of a key, and a message that is missing may have
//!   revoked somebody. Each one that is missing is noticed, and is a gap.
//!
//! Compressed messages are read, by whichever of the four ways of Kafka. Of transactions, those that are committed are read,
//! once they are. While anybody's transaction is open, the broker holds back everything behind its first message; then the
//! feed is not live, and its lag says how much is held back. Have no transactional publisher on this topic that does not need it.
//!
//! # Security
//!
//! Have the issuer publish with `acks=all`, and leave `unclean.leader.election.enable` off: a message that was confirmed, read
//! by nobody and lost in a failover is not noticed. That messages which were read are no longer there is noticed, and is a gap:
//! with the next answer of the leader (Kafka 2.7 and later), when the topic is opened anew, and every 10 seconds.
//!
//! A leader is believed while most of its in-sync replicas name it, asked every second. One that is cut off from them is left as
//! soon as another one is named, and otherwise the feed is not live.
//!
//! # Stability
//!
//! What TLS takes is the [`rustls`] crate's, and is given out again here. A release of that crate that breaks its own users
//! counts as a minor release of this one.

#[cfg(feature = "issuer")]
mod topic_log;
mod source;
mod reader;
mod leader;
mod leadership;
mod continuity;
mod partition;
mod dead_letters;
mod cluster;
mod broker;
mod config;
mod sasl;
mod scram;
mod committed;
mod partition_end;
mod fetch_size;
mod wire;

pub use config::KafkaConfig;
pub use sasl::{Sasl, SaslCredentials, SaslMechanism};
pub use source::KafkaSource;
pub use tokio_rustls::rustls;
#[cfg(feature = "issuer")]
pub(crate) use topic_log::{NewTopic, TopicLog};
