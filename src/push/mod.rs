//! Events that are pushed over HTTP: a service for webhooks, to mount on any router.
//!
//! ```
//! use axum::Router;
//! use tower_revocation::push::{Push, Secret};
//! # use tower_revocation::{DecodeError, Decoded, Key, Revocation, RevocationLayer, identify};
//! # let (layer, sink) = RevocationLayer::pair(identify::jwt(http::header::AUTHORIZATION, "Bearer"));
//! # let decode = |message: &[u8]| Ok::<_, DecodeError>(Decoded::from(Revocation::block(Key::subject("agent-7"))));
//! # let key = b"as many random bytes as you like";
//! let push = Push::new(sink.clone(), decode, Secret::hmac_sha256(key));
//! let app: Router = Router::new().route_service("/revocations", push);
//! ```
//!
//! The body of a `POST` is one message, as the decoder reads it, or a batch. A batch is a JSON array of messages: a
//! body whose first character is `[`. The answer comes when the events are in force, and with a journal when they are
//! durable:
//!
//! | status | the message, or the batch | the sender |
//! |---|---|---|
//! | 200 | all applied, or ignored because they do not concern revocation | is done |
//! | 503, `Retry-After` | some found no room, or are not durable | sends all of it again later |
//! | 422 | some can never be applied; the others are in force | alerts somebody: one of them may be a revocation |
//! | 400, 405, 408, 413 | not taken in: broken off, not a `POST`, too slow, too large or too many | |
//! | 401 | not looked at: no secret, or a wrong one | |
//!
//! The answer says what became of each message: `{"disposition":"applied"}`,
//! `{"disposition":"dead-letter","reason":"…"}`, for a batch `{"results":[…]}` in its order. Sending the same again
//! does no harm.
//!
//! Some senders (Azure Event Grid) first ask by `OPTIONS` whether they may push, and push nothing before they are told so: name
//! their [origins](Push::with_allowed_origin).
//!
//! # Replicas
//!
//! Behind a load balancer a push reaches **one** replica, and the others still accept what was revoked. Either push to
//! each replica's own address, and count the push as delivered when all of them answered 200. Or let one service take
//! the pushes in and publish them to a broker that every replica reads. A replica that is away does not get what is
//! pushed either: a signed list (feature `crl-poll`) brings it later.
//!
//! # Security
//!
//! - A **bearer** secret is only as secret as its transport: TLS is required. It is compared in constant time, and
//!   before any of the body is read.
//! - A **signature** covers the body, so that nobody between the sender and this service can change anything. Nothing
//!   of the body is looked at before the signature is verified, but the body has to be read: up to the
//!   [cap](Push::with_body_cap) for as long as the [timeout](Push::with_body_timeout), for anybody who sends a header
//!   of the right form. Limit how many connections and requests there may be at the same time.
//! - **Replay**: a signature never expires. Somebody who recorded a push can send it again. This changes nothing if its
//!   events say when they happened. An event without a time counts as of its arrival, and would revoke again what was
//!   reinstated since. TLS prevents the recording.
//! - Mount it **outside of** the layer that it feeds. Otherwise the layer answers first.

mod webhook;
mod config;
mod binary;
mod batch;
mod answer;
mod handshake;
mod secret;

pub use config::*;
pub use secret::Secret;
pub use webhook::{Push, PushFuture};
