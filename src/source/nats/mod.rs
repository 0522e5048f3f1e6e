//! Streams of NATS JetStream.
//!
//! Every replica reads the stream through a consumer of its own, which is made anew at each opening from where everything
//! is settled. Nothing is left on the server but the stream.
//!
//! ```no_run
//! use std::time::Duration;
//! use tower_revocation::source::{self, nats::NatsSource};
//! # use tower_revocation::{DecodeError, Decoded, RevocationLayer, identify};
//! # async fn gateway() -> Result<(), Box<dyn std::error::Error>> {
//! # let (layer, sink) = RevocationLayer::pair(identify::jwt(http::header::AUTHORIZATION, "Bearer"));
//! # let decode = |message: &[u8]| Ok::<_, DecodeError>(Decoded::Ignored("nobody's".into()));
//! let client = async_nats::ConnectOptions::new()
//!     .retry_on_initial_connect()
//!     .ping_interval(Duration::from_secs(2))
//!     .reconnect_delay_callback(|_attempts| Duration::from_millis(200))
//!     .connect("nats://nats.internal:4222")
//!     .await?;
//! let source = NatsSource::new(client, "revocations").with_dead_letters("dead.revocations");
//! tokio::spawn(source::drive(source, decode, sink).run());
//! # Ok(())
//! # }
//! ```
//!
//! # The client
//!
//! The host connects it, by whatever credentials and TLS. `retry_on_initial_connect` lets a gateway start while the server is
//! away. By default the client pauses for up to 4 seconds between attempts to reconnect, and finds out after 2 minutes that a
//! server is gone that did not say so: the two settings above make that a matter of moments.
//!
//! # The stream
//!
//! - Its retention has to be by limits: with any other, replicas would take messages away from each other.
//! - Give the feed a stream of its own, that keeps messages for longer than lists take to be replaced. A stream proves that it
//!   has everything since a time by still holding a message from before it, or by never having lost one since it was created
//!   before it.
//! - Messages that were deleted from its midst count as missed, whether by hand or by a limit for each subject.
//! - JetStream writes to disk every 2 minutes (`sync_interval`): a power cut may lose what it confirmed. That is noticed at
//!   the next opening, by what was read last.
//!
//! # Permissions
//!
//! For a stream `S`, the client has to be allowed to subscribe to `_INBOX.>` (or its own prefix), and to publish to
//!
//! - `$JS.API.STREAM.INFO.S`, `$JS.API.STREAM.MSG.GET.S`
//! - `$JS.API.CONSUMER.CREATE.S`, `$JS.API.CONSUMER.MSG.NEXT.S.*`, `$JS.API.CONSUMER.DELETE.S.*`
//! - the subject of dead letters
//!
//! # Stability
//!
//! The client is the [`async_nats`] crate's, and is given out again here. A release of that crate that breaks its own users
//! counts as a minor release of this one.

mod source;
mod reader;
mod continuity;
mod dead_letters;
mod connection;
mod subject;

pub use async_nats;
pub use source::NatsSource;
