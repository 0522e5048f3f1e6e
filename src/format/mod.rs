//! Formats of queue messages that this crate reads.

#[cfg(feature = "clawdentity")]
pub mod clawdentity;
