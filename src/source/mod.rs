//! Feeds of messages: what a broker's adapter offers, and the one loop that reads any of them.
//!
//! Every replica has to see every event, after a cut from where it left off, and has to know at any moment whether it does.
//! An [`EventSource`] translates one broker's client; [`drive`] does the rest.
//!
//! - **Opening**, with a timeout and exponential back-off, from where everything is settled; the first time from the issue
//!   time of the list that is in force, less a [margin](DEFAULT_MARGIN).
//! - **Gaps**: a feed that may have lost messages has a fresh list fetched before its first event.
//! - **Silence**: a feed without any sign of life is taken for dead, and opened anew.
//! - **Settling**: acknowledged once in force (and durable, with a journal), delivered again if that failed, put aside with
//!   a reason if it can never be. No message waits for another one.
//! - **Health**, in [`EventSink::status`](crate::EventSink::status); the poller's pace goes by it.
//!
//! ```
//! use tower_revocation::source::{self, Memory};
//! # use tower_revocation::{DecodeError, Decoded, FeedState, Key, Revocation, RevocationLayer, identify};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # let (layer, sink) = RevocationLayer::pair(identify::jwt(http::header::AUTHORIZATION, "Bearer"));
//! # let decode = |message: &[u8]| Ok::<_, DecodeError>(Decoded::from(Revocation::block(Key::subject("agent-7"))));
//! // A broker's adapter in its place: `nats::NatsSource::new(client, "revocations")`.
//! let log = Memory::new("revocations");
//! let feed = source::drive(log.source(), decode, sink.clone());
//! tokio::spawn(feed.run());
//! log.publish("agent-7 is revoked");
//! # while sink.status().overlay.entries == 0 { tokio::task::yield_now().await }
//! # }
//! ```

#[cfg(feature = "source-testing")]
pub mod testing;
mod driver;
mod memory;
mod pipe;
#[cfg(feature = "amqp")]
pub mod amqp;
#[cfg(feature = "cloudflare")]
pub mod cloudflare;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "nats")]
pub mod nats;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "redis")]
pub mod redis;
mod log;
mod event_source;
mod config;
mod dead_letter;
mod position;
mod landmark;
mod error;

pub use config::*;
pub use dead_letter::{DeadLetter, DeadLetterPolicy};
pub use driver::{ByPoller, Drive, Resync, drive};
pub use error::SourceError;
pub use event_source::{Continuity, Delivery, EventSource, Retry, Signal};
pub use landmark::Landmark;
pub use log::{LogDeadLetters, LogDelivery, Storing};
pub use memory::{Memory, MemorySource};
pub use pipe::{Pipe, PipeInlet, PipeMessage, PipeSettled, pipe};
pub use position::{Position, Start};
