//! Formats of queue messages that this crate reads.

#[cfg(feature = "clawdentity")]
pub mod clawdentity;
#[cfg(feature = "clawdentity")]
pub(crate) mod json;
