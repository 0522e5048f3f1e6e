//! Formats of queue messages that this crate reads.

#[cfg(feature = "clawdentity")]
pub mod clawdentity;
mod heartbeat;
#[cfg(feature = "clawdentity")]
pub(crate) mod json;
pub(crate) mod object;

pub use heartbeat::{HEARTBEAT_TYPE, Heartbeats, heartbeat};
