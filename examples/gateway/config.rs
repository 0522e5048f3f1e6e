//! The command line: what the gateway is told, checked before anything starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use tower_revocation::StalePolicy;
use tower_revocation::probe::Need;

use crate::base::Base;
use crate::console;
use crate::duration::duration;
use crate::format::Format;
use crate::queue::{Address, Reader};
use crate::registry::{DEFAULT_ISSUER, did_authority, issuer};

/// A reverse proxy that refuses revoked agents within milliseconds.
///
/// Requests carry an agent identity token, `Authorization: Claw <ait>`. The gateway verifies it against the registry's
/// signing keys, refuses it if the registry revoked the token or its agent, and passes all other requests on. It
/// hears of revocations from a queue at once, and from the registry's signed revocation list every --refresh.
///
/// Without any argument it starts everything it needs (a registry, a queue, an upstream), walks through a revocation
/// by itself, and then keeps serving for you to try.
#[derive(Clone, Debug, Parser)]
#[command(name = "gateway", after_help = EXAMPLES)]
pub(crate) struct Config {
    /// Where to accept requests; port 0 takes a free one [default: 127.0.0.1:8080, or a free port if that is taken]
    #[arg(long, env = "GATEWAY_LISTEN", value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,

    /// Where to pass admitted requests on to, http only [default: an embedded echo service with /events and /ws]
    #[arg(long, env = "GATEWAY_UPSTREAM", value_name = "URL")]
    pub(crate) upstream: Option<Base>,

    /// The registry that signs keys and revocation list, http only [default: an embedded one on its own port]
    #[arg(long, env = "GATEWAY_REGISTRY", value_name = "URL")]
    pub(crate) registry: Option<Base>,

    /// The `iss` of its tokens and lists, to the letter [default: the origin of --registry, or
    /// https://registry.example.com for the embedded one]
    #[arg(long, env = "GATEWAY_ISSUER", value_name = "URL", value_parser = issuer)]
    issuer: Option<String>,

    /// The queue that revocation events come from, one of inproc:, nats://host:port/STREAM.subject, postgres://user@host:port/DATABASE, redis://host:port/STREAM,
    /// amqp://host:port/stream/NAME, amqp://host:port/exchange/NAME (a queue for each gateway) or kafka://host:port/TOPIC; all
    /// but the first take `--features brokers` or the one of that name. An embedded registry publishes to it [default:
    /// inproc: with the embedded registry; with --registry there is no event feed, unless you post to /events]
    #[arg(long, env = "GATEWAY_QUEUE", value_name = "URL")]
    pub(crate) queue: Option<Address>,

    /// What the queue's messages are written in: the registry's own form, or the open format of revocations, by an issuer of your own.
    /// Then an embedded registry publishes nothing
    #[arg(long, env = "GATEWAY_FORMAT", value_name = "FORMAT", default_value = "clawdentity")]
    pub(crate) format: Format,

    /// The `source` that messages of the open format have to state, to the letter
    #[arg(
        long,
        env = "GATEWAY_ISSUER_SOURCE",
        value_name = "URL",
        required_if_eq("format", "revocation")
    )]
    pub(crate) issuer_source: Option<String>,

    /// Where on that broker messages are put that cannot be read: a subject, key, exchange or topic [default: they are logged
    /// and counted]
    #[arg(long, env = "GATEWAY_DEAD_LETTER", value_name = "NAME", requires = "queue")]
    pub(crate) dead_letter: Option<String>,

    /// The name of this gateway in dead letters and, on an exchange, of its queue; its own and always the same [default:
    /// the environment's HOSTNAME]
    #[arg(long, env = "GATEWAY_REPLICA", value_name = "NAME")]
    pub(crate) replica: Option<String>,

    /// Take the queue for down while the registry's newest heartbeat is older than this [default: no heartbeats are expected]
    #[arg(long, env = "GATEWAY_HEARTBEAT", value_name = "DUR", value_parser = duration)]
    pub(crate) heartbeat: Option<Duration>,

    /// Expect a canary: a key that nobody holds, revoked so often by the registry, and refused here soon after. An embedded
    /// registry revokes it by itself [default: none, but with no arguments at all every 5s]
    #[arg(long, env = "GATEWAY_CANARY", value_name = "DUR", value_parser = duration)]
    canary: Option<Duration>,

    /// What /readyz needs besides a fresh list and signing keys, separated by commas: feed (a live queue), canary (one that is
    /// refused, and not too old). What all gateways lack at a time takes them all out of service
    #[arg(long, env = "GATEWAY_READY_NEEDS", value_name = "WHAT", value_delimiter = ',')]
    pub(crate) ready_needs: Vec<ReadyNeed>,

    /// Where to serve the console, and /status, /metrics, /healthz, /readyz, /events and /refresh; whoever gets here can revoke,
    /// so keep it private [default: 127.0.0.1:8081, or a free port if that is taken]
    #[arg(long, env = "GATEWAY_ADMIN", value_name = "ADDR")]
    pub(crate) admin: Option<SocketAddr>,

    /// What the console's page asks for before it shows or does anything [default: a random one, printed at the start]
    #[arg(long, env = "GATEWAY_CONSOLE_TOKEN", value_name = "TOKEN", hide_env_values = true, value_parser = console::token)]
    pub(crate) console_token: Option<String>,

    /// A name that browsers may reach the console by, besides IP addresses and localhost
    #[arg(long, env = "GATEWAY_CONSOLE_HOST", value_name = "NAME")]
    pub(crate) console_host: Option<String>,

    /// How often to fetch the revocation list while events come in; at least every 30s while they do not
    #[arg(long, env = "GATEWAY_REFRESH", value_name = "DUR", default_value = "15m", value_parser = duration)]
    pub(crate) refresh: Duration,

    /// How old the revocation list may become before --stale decides
    #[arg(long, env = "GATEWAY_MAX_AGE", value_name = "DUR", default_value = "1h", value_parser = duration)]
    pub(crate) max_age: Duration,

    /// What to do with agents not known to be revoked while the list is too old or missing: refuse them with 503, or
    /// admit them
    #[arg(long, env = "GATEWAY_STALE", value_name = "POLICY", default_value = "fail-closed")]
    pub(crate) stale: Stale,

    /// Where to keep events and the last list across restarts; created if it is missing. One gateway at a time holds it.
    /// Without it a restart forgets what the list does not say [default: nothing is kept]
    #[arg(long, env = "GATEWAY_STATE_DIR", value_name = "PATH")]
    pub(crate) state_dir: Option<PathBuf>,

    /// What to do if --state-dir is damaged or cannot be used: end, or start empty and refuse everyone until a list is
    /// fetched
    #[arg(long, env = "GATEWAY_STATE_DAMAGED", value_name = "POLICY", default_value = "refuse")]
    pub(crate) state_damaged: StateDamaged,

    /// Revoke N agents one after another while requests run, print one line of JSON about the time from each revocation
    /// to its first refusal, and exit. Needs the embedded registry
    #[arg(long, env = "GATEWAY_MEASURE", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) measure: Option<u32>,
}

impl Config {
    /// Reads arguments and environment; prints what is wrong and exits if they do not make sense.
    pub(crate) fn read() -> Self {
        let config = Self::parse();
        if let Err(problem) = config.check() {
            Self::command().error(ErrorKind::ValueValidation, problem).exit();
        }
        config
    }

    /// The issuer whose tokens and lists are believed.
    pub(crate) fn issuer(&self) -> String {
        match (&self.issuer, &self.registry) {
            (Some(issuer), _) => issuer.clone(),
            (None, Some(registry)) => registry.origin(),
            (None, None) => DEFAULT_ISSUER.to_owned(),
        }
    }

    /// How often the registry revokes its canary.
    pub(crate) fn canary(&self) -> Option<Duration> {
        self.canary.or_else(|| is_untold().then_some(UNTOLD_CANARY))
    }

    /// The host that an embedded registry names in its agents' DIDs.
    pub(crate) fn did_authority(&self) -> Option<String> {
        did_authority(&self.issuer())
    }

    /// How often to fetch the list while no events come in.
    pub(crate) fn fast_pace(&self) -> Duration {
        self.refresh.min(Duration::from_secs(30))
    }

    /// What to read events from, if anything.
    pub(crate) fn reader(&self) -> Option<Reader> {
        let address = match (&self.queue, &self.registry) {
            (Some(address), _) => address.clone(),
            (None, None) => Address::InProcess,
            (None, Some(_)) => return None,
        };
        Some(Reader {
            address,
            dead_letters: self.dead_letter.clone(),
            replica: self.replica.clone(),
            heartbeat: self.heartbeat,
        })
    }

    fn check(&self) -> Result<(), String> {
        if self.measure.is_some() && self.registry.is_some() {
            return Err(
                "--measure revokes agents of its own, which takes the embedded registry: leave out --registry".into(),
            );
        }
        if let Some(address) = self.queue.as_ref().filter(|address| !address.is_built_in()) {
            return Err(format!("--queue: {}", address.missing()));
        }
        if self.format == Format::Revocation && matches!(self.queue, None | Some(Address::InProcess)) {
            return Err("--format revocation: say by --queue which broker the issuer publishes to".into());
        }
        if self.queue == Some(Address::InProcess) && self.registry.is_some() {
            return Err(
                "--queue inproc: is the embedded registry's: with --registry, name the broker that yours publishes to"
                    .into(),
            );
        }
        if self.ready_needs.contains(&ReadyNeed::Canary) && self.canary().is_none() {
            return Err("--ready-needs canary: say by --canary how often the registry revokes one".into());
        }
        if self.ready_needs.contains(&ReadyNeed::Feed) && self.reader().is_none() {
            return Err("--ready-needs feed: say by --queue what feed there is".into());
        }
        if self.registry.is_none() && self.did_authority().is_none() {
            let issuer = self.issuer();
            return Err(format!(
                "--issuer {issuer}: agents of the embedded registry are named after it, so its host has to be a DNS name \
                 with a dot, such as {DEFAULT_ISSUER}"
            ));
        }
        Ok(())
    }
}

/// What to do while the list is stale.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Stale {
    FailClosed,
    FailOpen,
}

impl From<Stale> for StalePolicy {
    fn from(stale: Stale) -> Self {
        match stale {
            Stale::FailClosed => Self::FailClosed,
            Stale::FailOpen => Self::FailOpen,
        }
    }
}

/// What /readyz may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReadyNeed {
    Canary,
    Feed,
}

impl From<ReadyNeed> for Need {
    fn from(need: ReadyNeed) -> Self {
        match need {
            ReadyNeed::Canary => Self::Canary,
            ReadyNeed::Feed => Self::Feed,
        }
    }
}

/// What to do if the state directory is of no use.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum StateDamaged {
    Refuse,
    StartEmpty,
}

/// Whether the gateway is to show itself: nothing was asked of it.
pub(crate) fn is_untold() -> bool {
    std::env::args_os().len() == 1
}

const UNTOLD_CANARY: Duration = Duration::from_secs(5);

const EXAMPLES: &str = "\
Durations are a whole number and a unit: 500ms, 30s, 15m, 1h, 7d.

Once bound, each address is printed as a line of its own: `listening http://…`, `console http://…` to be opened in a browser,
`admin http://…`, and `registry http://…` and `upstream http://…` for embedded ones. With --measure such lines go to stderr,
and stdout has the JSON alone.

Examples:
  gateway
      The whole story, then a playground
  gateway --upstream http://127.0.0.1:9000 --listen 0.0.0.0:8080
      In front of your own service, with an embedded registry to hand out tokens
  gateway --registry http://registry.internal --issuer https://registry.example.com --refresh 1m
      With a registry of your own
  GATEWAY_STALE=fail-open gateway --listen 127.0.0.1:0 --admin 127.0.0.1:0
      Settings from the environment, free ports
  gateway --registry http://registry.internal --state-dir /var/lib/gateway/revocation
      With everything it knows kept across restarts: the list is in force before the registry is asked
  gateway --registry http://registry.internal --queue nats://nats.internal:4222/REVOCATIONS.agents
      One of several gateways, each of which hears of every revocation
  gateway --registry http://registry.internal --queue nats://nats.internal:4222/REVOCATIONS.agents --canary 15s
      With a proof every 15s that what the registry revokes is refused here
  gateway --measure 200
      How long a revocation takes (build with --release)

Exit codes: 0 after ctrl-c, SIGTERM or a measurement; 1 if something failed; 2 for arguments that make no sense.

Logs go to stderr; RUST_LOG=tower_revocation=debug,gateway=debug shows why a request or list was refused.";
