//! A registry as a process of its own, which publishes to a broker; with several gateways it makes a little fleet.
//!
//! ```text
//! nats-server -js &
//! cargo run --example registry --features nats -- --queue nats://127.0.0.1:4222/REVOCATIONS.agents
//! cargo run --example gateway --features nats -- --registry http://127.0.0.1:8082 \
//!     --issuer https://registry.example.com --queue nats://127.0.0.1:4222/REVOCATIONS.agents --listen 127.0.0.1:0
//! ```
//!
//! Get a token with `curl -X POST http://127.0.0.1:8082/v1/agents`, revoke its agent with `curl -X DELETE
//! http://127.0.0.1:8082/v1/agents/<ULID at the end of its DID>`, and see every gateway refuse it.

#[expect(dead_code, reason = "gateways check tokens")]
#[path = "gateway/ait.rs"]
mod ait;
#[path = "gateway/terminal.rs"]
mod terminal;
#[path = "gateway/duration.rs"]
mod duration;
#[path = "gateway/log.rs"]
mod log;
#[path = "gateway/envelope.rs"]
mod envelope;
#[expect(dead_code, unused_imports, reason = "gateways read")]
#[path = "gateway/queue/mod.rs"]
mod queue;
#[expect(dead_code, reason = "the measurement looks inside")]
#[path = "gateway/registry/mod.rs"]
mod registry;
#[path = "gateway/server.rs"]
mod server;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tower_revocation::format::{canary, heartbeat};

use crate::duration::duration;
use crate::log::Log;
use crate::queue::{Address, Publisher};
use crate::registry::{DEFAULT_ISSUER, Registry, did_authority, issuer};
use crate::server::{Servers, listen, told_to_end};
use crate::terminal::Terminal;

type Failure = Box<dyn Error + Send + Sync>;

/// A registry of agents that publishes revocations to a broker and signs the list of them.
#[derive(Debug, Parser)]
#[command(name = "registry")]
struct Config {
    /// Where to accept requests; port 0 takes a free one [default: 127.0.0.1:8082, or a free port if that is taken]
    #[arg(long, env = "REGISTRY_LISTEN", value_name = "ADDR")]
    listen: Option<SocketAddr>,

    /// The `iss` of its tokens and lists
    #[arg(long, env = "REGISTRY_ISSUER", value_name = "URL", value_parser = issuer, default_value = DEFAULT_ISSUER)]
    issuer: String,

    /// The queue to publish to, as the gateways' --queue. It is declared if it is not there
    #[arg(long, env = "REGISTRY_QUEUE", value_name = "URL")]
    queue: Address,

    /// Where gateways put messages that cannot be read, as their --dead-letter. It is declared if it is not there
    #[arg(long, env = "REGISTRY_DEAD_LETTER", value_name = "NAME")]
    dead_letter: Option<String>,

    /// How often to publish a heartbeat
    #[arg(long, env = "REGISTRY_HEARTBEAT", value_name = "DUR", value_parser = duration, default_value = "5s")]
    heartbeat: Duration,

    /// How often to revoke the canary, as the gateways' --canary [default: never]
    #[arg(long, env = "REGISTRY_CANARY", value_name = "DUR", value_parser = duration)]
    canary: Option<Duration>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let log = Log::to_stderr();
    let failure = run(Config::parse()).await.err();
    let code = match failure {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::FAILURE,
    };
    log.end(failure.map(|failure| format!("registry: {failure}")));
    code
}

async fn run(config: Config) -> Result<(), Failure> {
    let told_to_end = told_to_end()?;
    let authority = did_authority(&config.issuer).ok_or("the issuer's host has to be a DNS name with a dot")?;
    if !config.queue.is_built_in() {
        return Err(config.queue.missing().into());
    }
    let publisher = Publisher::new(config.queue, config.dead_letter);
    publisher.declare().await?;
    let registry = Registry::new(config.issuer, authority, publisher.clone());
    let (listener, address) = listen(config.listen, 8082).await?;
    let mut servers = Servers::new();
    servers.serve(listener, registry::router(registry));
    Terminal::Stdout.say(format_args!("registry http://{address}"));
    let canaries = async {
        match config.canary {
            Some(every) => publisher.repeat(every, canary).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        // Shows the gateways that what is published here arrives.
        never = publisher.repeat(config.heartbeat, heartbeat) => match never {},
        never = canaries => match never {},
        told = told_to_end => told?,
    }
    servers.end().await;
    Ok(())
}
