//! Streams of NATS JetStream.
//!
//! Every replica reads the stream through a consumer of its own, which is made anew at each opening from where everything
//! is settled. Nothing is left on the server but the stream.
//!
//! ```no_run
//! use std::time::Duration;
//! use tower_revocation::source::{self, nats::{NatsEvents, NatsSource}};
//! # use tower_revocation::{DecodeError, Decoded, RevocationLayer, identify};
//! # async fn gateway() -> Result<(), Box<dyn std::error::Error>> {
//! # let (layer, sink) = RevocationLayer::pair(identify::jwt(http::header::AUTHORIZATION, "Bearer"));
//! # let decode = |message: &[u8]| Ok::<_, DecodeError>(Decoded::Ignored("nobody's".into()));
//! let events = NatsEvents::new();
//! let options = async_nats::ConnectOptions::new()
//!     .retry_on_initial_connect()
//!     .ping_interval(Duration::from_secs(2))
//!     .reconnect_delay_callback(|_attempts| Duration::from_millis(200));
//! let client = events.watch(options).connect("nats://nats.internal:4222").await?;
//! let source = NatsSource::new(client, "revocations")
//!     .with_events(events)
//!     .with_dead_letters("dead.revocations");
//! tokio::spawn(source::drive(source, decode, sink).run());
//! # Ok(())
//! # }
//! ```
//!
//! # The client
//!
//! The host connects it, by whatever credentials and TLS. `retry_on_initial_connect` lets a gateway start while the server is
//! away. By default the client pauses for up to 4 seconds between attempts to reconnect, and finds out after 2 minutes that a
//! server is gone that did not say so: the two settings above make that a matter of moments. A single message must come in within
//! some three ping intervals, or the client gives its connection up: over a slow link, allow for that.
//!
//! Give the feed a client of its own that knows all servers of a cluster: if its server is cut off from the others, the source has
//! the client connect anew, and that interrupts whatever else the client does.
//!
//! [`NatsEvents`] lets the status name why the client is not connected, or what it is not permitted. A client that has ended for
//! good is [replaced](NatsSource::with_new_client), if the source is told how.
//!
//! # The end of the stream
//!
//! A server that is cut off from the others goes on as if nothing had happened: a consumer on it sends heartbeats for ever. So the
//! source asks the stream's leader each second where the stream ends, and believes only one that has heard of most of the stream's
//! servers within 3 seconds. The feed is live while everything up to there came in. Without such an answer, the feed is not live
//! after 4 seconds, and is opened anew. A stream that is a mirror, or has sources, must have heard of its origin within 3 seconds
//! as well, and have all that it has. A log that has become shorter is a gap.
//!
//! # The stream
//!
//! - Its retention has to be by limits: with any other, replicas would take messages away from each other.
//! - Give the feed a stream of its own, that keeps messages for longer than lists take to be replaced. A stream proves that it
//!   has everything since a time by still holding the message before it. When it was created proves nothing: a stream whose only
//!   copy was lost comes back by itself, empty, and keeps that time.
//! - Messages that were deleted from its midst or its end count as missed, whether by hand, by their own time, or by a limit for
//!   each subject; unless the source came past them before.
//! - Delete markers and plans for later (`Nats-Schedule`, servers from 2.12 on) are no messages.
//! - JetStream writes to disk every 2 minutes (`sync_interval`): a power cut may lose what it confirmed. That is noticed at
//!   the next opening, by what was read last.
//! - Each gateway has one consumer, in memory and on one server. That of a gateway that was killed is forgotten after 5 minutes. If the
//!   stream or the account limits consumers, allow for as many as all gateways start within that time, and at least two for each.
//! - If servers or accounts limit what a request may ask for (`max_request_batch`, `max_request_max_bytes`), no more is asked for.
//!   A message that is larger than such a limit can never be read.
//!
//! # Permissions
//!
//! For a stream `S`, the client has to be allowed to subscribe to `_INBOX.>` (or its own prefix), and to publish to
//!
//! - `$JS.API.STREAM.INFO.S`, `$JS.API.STREAM.MSG.GET.S`
//! - `$JS.API.CONSUMER.CREATE.S`, `$JS.API.CONSUMER.MSG.NEXT.S.*`, `$JS.API.CONSUMER.DELETE.S.*`
//! - the subject of dead letters
//!
//! Under a [prefix](NatsSource::with_api_prefix) it is the same with the prefix instead of `$JS.API`; the account that exports it
//! has to export `CONSUMER.MSG.NEXT` with `response_type: stream`.
//!
//! # Security
//!
//! What a broker confirmed and lost before anybody read it is lost to its readers as well: two copies that are set back to old
//! ones outvote the third. Only numbers of the issuer's own in the messages would show that.
//!
//! # Stability
//!
//! The client is the [`async_nats`] crate's, and is given out again here. A release of that crate that breaks its own users
//! counts as a minor release of this one.

mod source;
mod opened;
mod opening;
mod leader;
mod reader;
mod pull;
mod continuity;
mod seen;
mod dead_letters;
mod events;
mod connection;
mod subject;

pub use async_nats;
pub use events::NatsEvents;
pub use source::NatsSource;
