//! The console in a real browser: what a newcomer sees and does.
//!
//! ```sh
//! cargo build --features full,brokers --example gateway
//! cargo test --features full,brokers --test console
//! SHOTS=target/shots cargo test --features full,brokers --test console shots
//! ```
//!
//! It takes the Debian packages chromium, chromium-driver and nats-server; what is missing makes it fail and say so. Each test
//! has a gateway and a browser of its own. What can be tested without a browser is in `tests/gateway/console.rs`.

#![cfg(target_os = "linux")]
#![expect(clippy::print_stdout, reason = "`--nocapture` shows what was measured")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod browser;
mod driver;
#[path = "../support/limit.rs"]
mod limit;
mod lock;
mod log;
mod newcomer;
mod outage;
mod shots;

#[path = "../support/process.rs"]
#[expect(dead_code, reason = "not all of it is wanted here")]
mod process;
#[path = "../support/server/mod.rs"]
#[expect(dead_code, unused_imports, reason = "not all of them are wanted here")]
mod server;
#[path = "../support/web.rs"]
#[expect(dead_code, reason = "not all of it is wanted here")]
mod web;
