//! Events that are pushed over HTTP: a service for webhooks, to be mounted on any router.
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
//! The body of a `POST` is one message, as the decoder reads it, or a batch: a JSON array of messages, that is a body whose
//! first character is `[`. What it says is in force before it is answered, and durable with a journal:
//!
//! | status | the message, or the batch | the sender |
//! |---|---|---|
//! | 200 | all applied, or ignored as none of our business | is done |
//! | 503, `Retry-After` | some found no room, or are not durable | sends all of it again later |
//! | 422 | some can never be applied; the others are in force | tells somebody: it may be a missed revocation |
//! | 400, 405, 408, 413 | not taken in: broken off, not a `POST`, too slow, too large or too many | |
//! | 401 | not looked at: no secret, or a wrong one | |
//!
//! The answer says what became of each: `{"disposition":"applied"}`, `{"disposition":"dead-letter","reason":"…"}`, for a
//! batch `{"results":[…]}` in its order. Sending the same again does no harm.
//!
//! # Replicas
//!
//! Behind a load balancer a push reaches **one** replica, and the others go on accepting what was revoked. Either push to
//! each replica's own address, and count it as delivered when all of them answered 200; or have one service take the
//! pushes in and publish them to a broker that every replica reads. A replica that is away misses what is
//! pushed, too: a signed list (feature `crl-poll`) makes up for it.
//!
//! # Security
//!
//! - A **bearer** secret is only as secret as its way: TLS is required. It is compared in constant time, and before any of
//!   the body is read.
//! - A **signature** covers the body, so that whoever stands between can change nothing. Nothing of the body is looked at
//!   before that was verified, but it has to be read: up to the [cap](Push::with_body_cap) for as long as the
//!   [timeout](Push::with_body_timeout), for anybody who sends a header of the right form. Bound how many connections and
//!   requests there may be at a time.
//! - **Replay**: a signature holds for ever. Whoever recorded a push can send it again, which changes nothing as long as its
//!   events say when they happened. One that does not counts as of its arrival, and would revoke anew what was
//!   reinstated since. TLS keeps it from being recorded.
//! - Mount it **outside of** the layer that it feeds, or the layer answers before it does.

mod webhook;
mod config;
mod batch;
mod answer;
mod secret;

pub use config::*;
pub use secret::Secret;
pub use webhook::{Push, PushFuture};
