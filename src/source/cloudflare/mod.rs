//! Cloudflare Queues, by [HTTP pull](https://developers.cloudflare.com/queues/configuration/pull-consumers/).
//!
//! ```no_run
//! use bytes::Bytes;
//! use http_body_util::Full;
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use tower_revocation::source::{self, cloudflare::CloudflareSource};
//! # use tower_revocation::{DecodeError, Decoded, Key, Revocation, RevocationLayer, identify};
//! # let (layer, sink) = RevocationLayer::pair(identify::jwt(http::header::AUTHORIZATION, "Bearer"));
//! # let decode = |message: &[u8]| Ok::<_, DecodeError>(Decoded::from(Revocation::block(Key::subject("agent-7"))));
//!
//! // With a TLS connector in place of this one.
//! let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
//! let queue = CloudflareSource::new(client, "<account id>", "<this replica's queue id>", "<API token>")
//!     .with_dead_letters("<dead-letter queue's id>")
//!     .with_max_retries(100);
//! # async move {
//! tokio::spawn(source::drive(queue, decode, sink.clone()).run());
//! # };
//! ```
//!
//! # Setting it up
//!
//! - **A queue for each replica**: whoever pulls from a queue takes its messages away from all others. The issuer sends to
//!   each of them. Replicas that share one miss what the others got.
//! - A consumer of type `http_pull` (`wrangler queues consumer http add <queue>`), with `max_retries` set to 100 in its
//!   settings; [`with_max_retries`](CloudflareSource::with_max_retries) says so here. Cloudflare throws a message away that
//!   was delivered so often.
//! - An API token with the permission *Queues: Edit*. Pulling needs the right to write as well, since it changes the queue.
//! - Messages of content type `json`, `text` or `bytes`. One of type `v8`, which only Workers can read, becomes a dead
//!   letter.
//!
//! # What it cannot do
//!
//! A queue cannot be read again, so that the first opening of each process counts as a gap: a list is fetched after it. A
//! queue that was purged, or threw messages away, says nothing of that.
//!
//! Cloudflare has no long polling: a message waits for half the [pace](CloudflareSource::with_pace) on average.
//! It keeps no order, which does not matter to events.

mod source;
mod reader;
mod acks;
mod delivery;
mod dead_letters;
mod outbox;
mod config;
mod under_way;
mod connection;
mod wire;

pub use config::*;
pub use connection::ApiClient;
pub use delivery::CloudflareDelivery;
pub use source::CloudflareSource;
