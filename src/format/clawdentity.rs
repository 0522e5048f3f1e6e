//! Clawdentity's queue messages.
