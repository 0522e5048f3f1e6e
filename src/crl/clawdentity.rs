//! Clawdentity's signed revocation list.
