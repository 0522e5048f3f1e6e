//! The smallest honest issuer: a store of its own, a broker, an HTTP door, and a command line that knocks there.
//!
//! ```text
//! redis-server &
//! cargo run --example issuer --features redis -- serve --state-dir /tmp/issuer --queue redis://127.0.0.1:6379/revocations \
//!     --token keep-this-one-secret
//! cargo run --example gateway --features redis -- --queue redis://127.0.0.1:6379/revocations \
//!     --format revocation --issuer-source https://auth.example.com
//!
//! export ISSUER_TOKEN=keep-this-one-secret
//! cargo run --example issuer -- revoke subject did:cdi:registry.example.com:agent:01KDVDNA03XJ61A46WBY7B0EGN --for 7d
//! cargo run --example issuer -- cut-off subject alice
//! cargo run --example issuer -- reinstate subject did:cdi:registry.example.com:agent:01KDVDNA03XJ61A46WBY7B0EGN
//! cargo run --example issuer -- list
//! ```
//!
//! `revoke` answers when the statement is on disk. Gateways hear of it within milliseconds, or as soon as the broker is back.

#[expect(dead_code, reason = "gateways read")]
#[path = "../gateway/queue/address.rs"]
mod address;
mod brokers;
mod client;
mod config;
mod door;
#[path = "../gateway/duration.rs"]
mod duration;
#[path = "../gateway/log.rs"]
mod log;
#[path = "../gateway/server.rs"]
mod server;
#[path = "../gateway/terminal.rs"]
mod terminal;
#[path = "../gateway/console/token.rs"]
mod token;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tower_revocation::issuer::Issuer;

use crate::config::{Command, Config, Serve};
use crate::log::Log;
use crate::server::{Servers, listen, told_to_end};
use crate::terminal::Terminal;
use crate::token::Token;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let log = Log::to_stderr();
    let failure = match Config::parse().command {
        Command::Serve(serve) => run(serve).await.err(),
        Command::Ask(ask) => client::ask(ask).await.err(),
    };
    let code = match failure {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::FAILURE,
    };
    log.end(failure.map(|failure| format!("issuer: {}", with_causes(&*failure))));
    code
}

async fn run(config: Serve) -> Result<(), Failure> {
    let told_to_end = told_to_end()?;
    let mut issuer = Issuer::open(&config.state_dir, &config.source)?.with_heartbeat(config.heartbeat);
    if let Some(every) = config.canary {
        issuer = issuer.with_canary(every);
    }
    let issuer = brokers::publish(issuer, &config.queue).await?;
    let (listener, address) = listen(config.listen, 8083).await?;
    let text = config.token.unwrap_or_else(Token::random);
    let mut servers = Servers::new();
    servers.serve(listener, door::router(issuer.clone(), Token::of(&text)));
    Terminal::Stdout.say(format_args!("issuer http://{address}"));
    Terminal::Stdout.say(format_args!("token {text}"));
    told_to_end.await?;
    Terminal::Stdout.say("ending");
    servers.end().await;
    let left = issuer.end(PATIENCE).await?;
    if left > 0 {
        Terminal::Stdout.say(format_args!("{left} statements wait for the next start"));
    }
    Ok(())
}

/// A failure and what caused it, in one line.
fn with_causes(failure: &(dyn Error + 'static)) -> String {
    let mut words = failure.to_string();
    let mut cause = failure.source();
    while let Some(error) = cause {
        words.push_str(&format!(": {error}"));
        cause = error.source();
    }
    words
}

/// How long what is left may take to be published.
const PATIENCE: Duration = Duration::from_secs(5);
