//! Formats of queue messages that this crate reads.

#[cfg(any(feature = "amqp", feature = "http-push", feature = "kafka", feature = "nats"))]
pub(crate) mod binary_mode;
mod canary;
#[cfg(feature = "clawdentity")]
pub mod clawdentity;
mod heartbeat;
#[cfg(any(feature = "clawdentity", feature = "crl-poll", feature = "jwks"))]
pub(crate) mod json;
#[cfg(feature = "cloudevents")]
pub mod revocation;
pub(crate) mod signal;
pub(crate) mod object;

pub use canary::{CANARY_TYPE, Canaries, canary};
pub use heartbeat::{HEARTBEAT_TYPE, Heartbeats, heartbeat};
