//! Whatever others send: no reader of it breaks, and nothing in it lets in who was revoked.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod answers;
mod ids;
#[allow(dead_code, unused_imports, reason = "here they are only drawn upon")]
mod properties;
mod requests;
mod twice;
