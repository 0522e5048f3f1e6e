//! Whatever others send: no reader of it breaks, and nothing in it lets in who was revoked.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod properties;
mod known;
