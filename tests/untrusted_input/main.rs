//! Whatever others send: no reader of it breaks, and nothing in it lets in who was revoked.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod answers;
mod ids;
mod kafka_answers;
#[allow(dead_code, unused_imports, reason = "here they are only drawn upon")]
mod properties;
mod requests;
#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    clippy::wrong_self_convention,
    reason = "it is the crate's, where it is public, and not all of it is about what comes in"
)]
mod source;
mod twice;
