//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;

use crate::address::Address;
use crate::duration::duration;
use crate::token::token;

/// An issuer of revocations: keeps them on disk, publishes them to a broker in order, and proves that none is missing.
#[derive(Debug, Parser)]
#[command(name = "issuer")]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the issuer
    Serve(Serve),
    #[command(flatten)]
    Ask(Ask),
}

#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// Where statements are kept; created if it is missing. One issuer at a time holds it
    #[arg(long, env = "ISSUER_STATE_DIR", value_name = "PATH")]
    pub(crate) state_dir: PathBuf,

    /// The issuer's name, as its messages state it and gateways expect it
    #[arg(long, env = "ISSUER_SOURCE", value_name = "URL", default_value = DEFAULT_SOURCE)]
    pub(crate) source: String,

    /// The queue to publish to, as the gateways' --queue. It is made if it is not there
    #[arg(long, env = "ISSUER_QUEUE", value_name = "URL")]
    pub(crate) queue: Address,

    /// Where to accept requests; port 0 takes a free one. Whoever gets here needs the token as well [default: 127.0.0.1:8083, or a
    /// free port if that is taken]
    #[arg(long, env = "ISSUER_LISTEN", value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,

    /// What requests have to present, as `Authorization: Bearer TOKEN` [default: a random one, printed at the start]
    #[arg(long, env = "ISSUER_TOKEN", value_name = "TOKEN", hide_env_values = true, value_parser = token)]
    pub(crate) token: Option<String>,

    /// How often to say where the log ends
    #[arg(long, env = "ISSUER_HEARTBEAT", value_name = "DUR", value_parser = duration, default_value = "1s")]
    pub(crate) heartbeat: Duration,

    /// How often to revoke the canary, as the gateways' --canary [default: never]
    #[arg(long, env = "ISSUER_CANARY", value_name = "DUR", value_parser = duration)]
    pub(crate) canary: Option<Duration>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Ask {
    /// Refuses something, whenever it was issued
    Revoke(Say),
    /// Refuses what was issued until now, and nothing that is issued later
    CutOff(Say),
    /// Lifts what revoke did; what was issued before stays refused
    Reinstate(Say),
    /// Prints what is in force
    List(Door),
    /// Prints how the issuer is
    Status(Door),
}

/// What to say.
#[derive(Args, Debug)]
pub(crate) struct Say {
    /// What it is
    pub(crate) kind: Kind,

    /// Its id; nothing for everything
    #[arg(default_value = "")]
    pub(crate) id: String,

    /// The name of a kind of your own, with the kind named
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// After which time gateways may forget it: the longest time that what is revoked is still good for [default: never]
    #[arg(long = "for", value_name = "DUR", value_parser = duration)]
    pub(crate) lasts: Option<Duration>,

    #[command(flatten)]
    pub(crate) door: Door,
}

/// Where the issuer is.
#[derive(Args, Debug)]
pub(crate) struct Door {
    /// Where the issuer serves
    #[arg(
        long,
        env = "ISSUER_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8083"
    )]
    pub(crate) url: String,

    /// Its token
    #[arg(long, env = "ISSUER_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub(crate) token: String,
}

#[derive(Clone, Copy, Debug, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Client,
    Everything,
    Named,
    Session,
    SigningKey,
    Subject,
    Tenant,
    Token,
}

const DEFAULT_SOURCE: &str = "https://auth.example.com";
