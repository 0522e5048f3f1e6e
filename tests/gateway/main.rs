//! The example gateway, from outside: each test starts the real program on ports of its own, and talks HTTP to it.
//!
//! Cargo builds examples before it runs all tests; to run this file alone, build it first:
//! `cargo build --example gateway && cargo test --test gateway`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod answers;
#[path = "../api/bytes_codec.rs"]
mod bytes_codec;
mod command_line;
mod console;
mod grpc;
mod kills;
mod outages;
#[path = "../support/process.rs"]
mod process;
mod proxying;
mod registry;
mod restart;
mod revocation;
mod watching;
#[path = "../support/web.rs"]
mod web;
