//! A gateway that refuses revoked agents: a reverse proxy with the revocation layer in it, and everything around it
//! that a system has, so that one command shows the whole of it.
//!
//! ```text
//! cargo run --example gateway              # the story, then a playground
//! cargo run --example gateway -- --help
//! ```
//!
//! A request passes four stations: it gets an id ([`envelope`]), is authenticated ([`auth`]), is checked for
//! revocation (the layer, refusing by [`refusal`]), and is passed on ([`proxy`]). On the other side the sink is fed
//! by the feed of a queue ([`queue`]) and by the poller. The [`console`] shows it all. What the gateway is not told to find
//! elsewhere, it brings along: a [`registry`] and an [`upstream`].

mod admin;
mod ait;
mod auth;
mod base;
mod caller;
mod config;
mod console;
mod duration;
mod envelope;
mod format;
mod hop;
mod log;
mod measure;
mod metrics;
mod proxy;
mod queue;
mod refusal;
mod registry;
mod server;
mod story;
mod terminal;
mod upstream;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use axum::{Router, middleware};
use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tower_revocation::crl::clawdentity::ClawdentityList;
use tower_revocation::crl::{KeyHandle, Poller};
use tower_revocation::format::canary;
use tower_revocation::journal::Journal;
use tower_revocation::probe::Need;
use tower_revocation::respond::Challenge;
use tower_revocation::{
    Anonymous, Canary, DomainConfig, EventSink, FeedState, GuardExtension, RevocationLayer, identify,
};

use crate::auth::{Agent, Authenticator};
use crate::base::Base;
use crate::caller::Doors;
use crate::config::{Config, StateDamaged};
use crate::console::{Console, Record};
use crate::format::Format;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::proxy::Proxy;
use crate::queue::{Address, Feed, Publisher};
use crate::refusal::AsUpstream;
use crate::registry::Registry;
use crate::server::{Servers, listen};
use crate::terminal::Terminal;

/// Anything that ends the gateway; its words go to stderr.
type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let config = Config::read();
    let log = Log::to_stderr();
    let failure = run(config).await.err();
    let code = match failure {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::FAILURE,
    };
    log.end(failure.map(|failure| format!("gateway: {}", with_causes(&*failure))));
    code
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

async fn run(config: Config) -> Result<(), Failure> {
    let terminal = match config.measure {
        Some(_) => Terminal::Stderr,
        None => Terminal::Stdout,
    };
    // Before any key is made.
    let journal = match &config.state_dir {
        Some(path) => Some(open_journal(path, config.state_damaged)?),
        None => None,
    };
    // Before anyone is told that we listen, and may tell us to end.
    let told_to_end = server::told_to_end()?;
    let mut servers = Servers::new();
    let (gateway, gateway_address) = listen(config.listen, 8080).await?;
    let (admin, admin_address) = listen(config.admin, 8081).await?;

    let upstream = match &config.upstream {
        Some(upstream) => upstream.clone(),
        None => {
            let (listener, address) = listen(None, 0).await?;
            servers.serve(listener, upstream::router());
            terminal.say(format_args!("upstream http://{address}"));
            Base::local(address)
        }
    };

    let reader = config.reader();
    let queue = reader
        .as_ref()
        .map_or(Address::InProcess, |reader| reader.address.clone());
    // What the embedded registry says by itself does not belong among another issuer's messages.
    let publisher = match config.format {
        Format::Clawdentity => Publisher::new(queue, config.dead_letter.clone()),
        Format::Revocation => Publisher::new(Address::InProcess, None),
    };
    let (registry, embedded) = match &config.registry {
        Some(registry) => (registry.clone(), None),
        None => {
            let authority = config.did_authority().ok_or("the issuer has no host")?;
            publisher.declare().await?;
            let embedded = Registry::new(config.issuer(), authority, publisher.clone());
            let (listener, address) = listen(None, 0).await?;
            servers.serve(listener, registry::router(embedded.clone()));
            terminal.say(format_args!("registry http://{address}"));
            (Base::local(address), Some(embedded))
        }
    };

    let (record, to_time) = Record::new(embedded.clone());
    let mut domain = DomainConfig::new()
        .with_stale_policy(config.stale.into())
        .with_max_age(config.max_age);
    if let Some(every) = config.canary() {
        domain = domain.with_canary(Canary::every(every));
    }
    let (layer, sink) = RevocationLayer::pair_with(domain, identify::extension::<Agent>());
    let layer = layer
        .with_response(AsUpstream(record.clone()))
        .with_challenge(Challenge::new("Claw")?)
        // Authentication comes first. Should somebody ever turn the two around, everybody notices.
        .with_anonymous(Anonymous::Challenge)
        // For tunnels, which outlive the response that opens them.
        .with_guard_extension(GuardExtension::Insert);
    // Before anything is counted.
    let metrics = Metrics::install(&sink)?;
    if let Some(journal) = journal {
        sink.keep_in(journal)?;
    }
    let keys = poll(&config, &registry, &sink)?;
    if let (Some(every), Some(_)) = (config.canary(), &embedded) {
        let publisher = publisher.clone();
        tokio::spawn(async move { publisher.repeat(every, canary).await });
    }
    let events = record.overhear(config.format.events(config.issuer_source.as_deref()));
    let mut feed = Feed::start(reader, publisher, sink.clone(), events.clone());

    // The last one added is the first to see a request.
    let app = Router::new()
        .fallback(proxy::forward)
        .with_state(Proxy::new(upstream, record.clone()))
        .layer(layer)
        .layer(middleware::from_fn_with_state(
            Authenticator::new(keys.clone(), &config.issuer()),
            auth::authenticate,
        ))
        .layer(middleware::from_fn(envelope::identify));
    servers.serve(gateway, app);
    let doors = embedded.map(|registry_inside| Doors {
        gateway: Base::local(gateway_address),
        admin: Base::local(admin_address),
        registry,
        registry_inside,
    });
    let console = Console::start(console::Parts {
        token: config.console_token.as_deref(),
        host: config.console_host.as_deref(),
        record,
        to_time,
        sink: sink.clone(),
        doors: doors.clone(),
    });
    let console_url = console.url(admin_address);
    let needs = config.ready_needs.iter().copied().map(Need::from);
    servers.serve(admin, admin::router(sink.clone(), needs, metrics, events, console));
    terminal.say(format_args!("listening http://{gateway_address}"));
    terminal.say(format_args!("console {console_url}"));
    terminal.say(format_args!("admin http://{admin_address}"));

    let is_untold = config::is_untold() && config.upstream.is_none();
    let work = async {
        match (doors, config.measure) {
            (Some(doors), Some(agents)) => {
                get_ready(&sink).await?;
                Terminal::Stdout.say(measure::run(&doors, agents).await?);
                return Ok(());
            }
            (Some(doors), None) if is_untold => {
                get_ready(&sink).await?;
                story::tell(&doors, terminal).await?;
            }
            _ => {}
        }
        std::future::pending().await
    };
    tokio::select! {
        done = work => return done,
        failure = feed.failure() => return Err(failure),
        told = told_to_end => told?,
    }
    terminal.say("ending");
    servers.end().await;
    feed.end().await;
    Ok(())
}

/// Starts the poller, and returns the keys that it keeps.
fn poll(config: &Config, registry: &Base, sink: &EventSink) -> Result<KeyHandle, Failure> {
    let list = registry.join("/v1/crl").ok_or("the registry's URL is unusable")?;
    let keys = registry
        .join("/.well-known/claw-keys.json")
        .ok_or("the registry's URL is unusable")?;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let format = ClawdentityList::new(config.issuer());
    let mut poller = Poller::new(client, format, list, keys, sink.clone())
        .with_slow_pace(config.refresh)
        .with_fast_pace(config.fast_pace())
        .with_timeout(FETCH_TIMEOUT);
    // So that the first request finds everything in force that earlier processes knew, whether or not the registry is there.
    poller.restore()?;
    let keys = poller.keys();
    tokio::spawn(poller.run());
    Ok(keys)
}

fn open_journal(path: &Path, damaged: StateDamaged) -> Result<Journal, Failure> {
    Ok(match damaged {
        StateDamaged::Refuse => Journal::open(path)?,
        StateDamaged::StartEmpty => Journal::open_or_start_empty(path)?,
    })
}

/// Waits for the first list of the embedded registry, and until its events come in.
async fn get_ready(sink: &EventSink) -> Result<(), Failure> {
    tokio::time::timeout(FETCH_TIMEOUT, sink.refreshed()).await?;
    if !sink.is_ready() {
        let why = sink.status().poll.last_error.unwrap_or_default();
        return Err(format!("the embedded registry's list cannot be had: {why}").into());
    }
    let live = async {
        while sink.status().feed.state != FeedState::Live {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(FETCH_TIMEOUT, live).await.is_err() {
        let why = sink.status().feed.last_error.unwrap_or_default();
        return Err(format!("the queue cannot be read: {why}").into());
    }
    Ok(())
}

/// For one fetch from the registry, of keys or list.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
