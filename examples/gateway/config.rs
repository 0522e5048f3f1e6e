//! The command line: what the gateway is told, checked before anything starts.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use tower_revocation::StalePolicy;

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

    /// The queue that revocation events come from. Only `inproc:`, the queue of the embedded registry; clients of real
    /// brokers come later. With --registry there is no event feed, unless you post to /events [default: inproc:]
    #[arg(long, env = "GATEWAY_QUEUE", value_name = "URL", value_parser = queue)]
    pub(crate) queue: Option<Queue>,

    /// Where to serve /status, /healthz, /readyz, /events and /refresh; whoever gets here can revoke, so keep it private
    /// [default: 127.0.0.1:8081, or a free port if that is taken]
    #[arg(long, env = "GATEWAY_ADMIN", value_name = "ADDR")]
    pub(crate) admin: Option<SocketAddr>,

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

    /// The host that an embedded registry names in its agents' DIDs.
    pub(crate) fn did_authority(&self) -> Option<String> {
        let issuer = self.issuer().parse::<Uri>().ok()?;
        let host = issuer.host()?.to_ascii_lowercase();
        let is_label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let is_name = host.parse::<Ipv4Addr>().is_err() && host.contains('.') && host.split('.').all(is_label);
        is_name.then_some(host)
    }

    /// How often to fetch the list while no events come in.
    pub(crate) fn fast_pace(&self) -> Duration {
        self.refresh.min(Duration::from_secs(30))
    }

    fn check(&self) -> Result<(), String> {
        if self.measure.is_some() && self.registry.is_some() {
            return Err(
                "--measure revokes agents of its own, which takes the embedded registry: leave out --registry".into(),
            );
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

/// The base of another service's URLs.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    authority: Authority,
    /// Without a slash at its end.
    prefix: String,
}

impl Base {
    /// A service on this machine.
    pub(crate) fn local(address: SocketAddr) -> Self {
        let authority = Authority::try_from(address.to_string()).expect("a socket address is an authority");
        Self {
            authority,
            prefix: String::new(),
        }
    }

    /// The URL of `path` (with its query, if any) below this base. `None` for what is no path, such as `*`.
    pub(crate) fn join(&self, path: &str) -> Option<Uri> {
        if !path.starts_with('/') {
            return None;
        }
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(PathAndQuery::try_from(format!("{}{path}", self.prefix)).ok()?);
        Uri::from_parts(parts).ok()
    }

    fn origin(&self) -> String {
        format!("http://{}", self.authority)
    }
}

impl FromStr for Base {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri = text.parse::<Uri>().map_err(|error| format!("not a URL: {error}"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err("this example speaks no TLS: name an http:// URL".into()),
            _ => return Err("expected an http:// URL, such as http://127.0.0.1:9000".into()),
        }
        let parts = uri.into_parts();
        let authority = parts.authority.ok_or("a URL without a host")?;
        if authority.as_str().contains('@') {
            return Err("user and password do not belong in this URL".into());
        }
        let path = parts.path_and_query.map_or_else(String::new, |path| path.to_string());
        if path.contains('?') {
            return Err("a query does not belong in this URL".into());
        }
        Ok(Self {
            authority,
            prefix: path.trim_end_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.prefix)
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

/// What to do if the state directory is of no use.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum StateDamaged {
    Refuse,
    StartEmpty,
}

/// Which queue.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Queue {
    InProcess,
}

fn queue(text: &str) -> Result<Queue, String> {
    match text {
        "inproc:" => Ok(Queue::InProcess),
        _ => Err("only `inproc:` is accepted as yet, the in-process queue; clients of real brokers come later".into()),
    }
}

/// Any http or https URL; kept as it is written, since it is compared with `iss` to the letter.
fn issuer(text: &str) -> Result<String, String> {
    let uri = text.parse::<Uri>().map_err(|error| format!("not a URL: {error}"))?;
    match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(authority)) if !authority.as_str().contains('@') => Ok(text.to_owned()),
        _ => Err(format!("expected the URL of an issuer, such as {DEFAULT_ISSUER}")),
    }
}

/// A whole number and its unit: `15m`, `30s`, `500ms`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "" => return Err("a unit is missing: ms, s, m, h or d, such as 30s".into()),
        _ => return Err("expected a whole number and a unit (ms, s, m, h or d), such as 15m, 30s or 500ms".into()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "expected a whole number before the unit, such as 15m")?;
    match number.checked_mul(millis) {
        None => Err("too long".into()),
        Some(0) => Err("must be longer than nothing".into()),
        Some(millis) if millis > MAX_DURATION_MS => Err("must not exceed 3650d".into()),
        Some(millis) => Ok(Duration::from_millis(millis)),
    }
}

/// A name that is nobody's ([RFC 2606](https://www.rfc-editor.org/rfc/rfc2606)).
const DEFAULT_ISSUER: &str = "https://registry.example.com";

/// Ten years: more would overflow clocks and mean nothing.
const MAX_DURATION_MS: u64 = 3_650 * 86_400_000;

const EXAMPLES: &str = "\
Durations are a whole number and a unit: 500ms, 30s, 15m, 1h, 7d.

Once bound, each address is printed as a line of its own: `listening http://…`, `admin http://…`, and `registry http://…`
and `upstream http://…` for embedded ones. With --measure such lines go to stderr, and stdout has the JSON alone.

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
  gateway --measure 200
      How long a revocation takes (build with --release)

Exit codes: 0 after ctrl-c, SIGTERM or a measurement; 1 if something failed; 2 for arguments that make no sense.

Logs go to stderr; RUST_LOG=tower_revocation=debug,gateway=debug shows why a request or list was refused.";
