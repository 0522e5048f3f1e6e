//! RabbitMQ, over AMQP 0.9.1 (feature `amqp`).
//!
//! Two kinds of feed, whichever the broker has:
//!
//! - [`AmqpStream`]: a stream, which keeps its messages. Each replica reads it from where it wants, and a new one reads
//!   what was published before it came. Prefer it.
//! - [`AmqpQueue`]: a fanout exchange, with a queue for each replica. It keeps nothing for a replica that was not there
//!   yet.
//!
//! Both are given what connects, and call it each time that they open the feed: the client does not reconnect by itself
//! in a way that loses nothing. So leave its `enable_auto_recover` off. Credentials, TLS and the heartbeat are in
//! there:
//!
//! ```
//! use lapin::{Connection, ConnectionProperties};
//! use tower_revocation::source::amqp::AmqpStream;
//!
//! let connect = || Connection::connect("amqp://127.0.0.1:5672/%2f?heartbeat=10", ConnectionProperties::default());
//! let source = AmqpStream::new(connect, "revocations").with_dead_letters("", "revocations.dead");
//! ```
//!
//! For TLS, turn on `rustls--ring` **and** a feature for roots, such as `rustls-webpki-roots-certs`, of the client's crate: without the
//! latter, version 4.12 connects to `amqps://` in clear text. Certificates are read anew at each opening if the closure does that.
//!
//! A heartbeat of some seconds is good for tidiness: until it is missed, the client keeps the thread and the socket of
//! a connection that was given up, and the broker keeps the consumer. That the broker is silent is noticed without it.
//!
//! Publishers have to confirm **and** to publish with `mandatory`: for a moment after a start, RabbitMQ confirms what
//! it cannot route to a queue or stream yet, and throws it away.
//!
//! # Dead letters
//!
//! Messages that can never be applied are published to an exchange that the host names; the default exchange, whose
//! name is empty, puts them into the queue that is named by the routing key. The publication is `mandatory` and
//! confirmed, over a connection of its own, which is made when it is first needed. Headers say what is known of them:
//! `reason`, `replica`, `at`, `attempts`, `source`, and `position` for streams.
//!
//! AMQP 0.9.1 offers nothing to store them once for all replicas: each replica stores its own. Those of one message
//! have the same `message-id`: [its key](super::DeadLetter::key) if it comes from a stream, and from a queue the one
//! that it was published with, if it was.
//!
//! # Stability
//!
//! The client is the [`lapin`] crate's, and is given out again here. A major release of that crate is a minor release of this
//! one.

mod stream;
mod queue;
mod payload;
mod dead_letters;
mod liveness;
mod connection;

#[cfg(feature = "issuer")]
pub(crate) use connection::Connector;
pub use lapin;
pub use queue::{AmqpQueue, AmqpQueueDelivery};
pub use stream::AmqpStream;
#[cfg(feature = "issuer")]
pub(crate) use stream::StreamLog;
