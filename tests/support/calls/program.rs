//! The server as a program: prints where it listens, and serves until it is killed.
//!
//! ```text
//! cargo run --example revoked_calls [SEED]
//! ```

#![expect(clippy::print_stdout, reason = "whoever started it wants to know where it is")]

#[path = "mod.rs"]
mod calls;

use std::error::Error;
use std::future::pending;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let seed = std::env::args().nth(1).map_or(Ok(0), |seed| seed.parse())?;
    let server = calls::CallServer::start(seed).await?;
    println!("listening http://{}", server.address);
    pending().await
}
