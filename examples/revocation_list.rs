//! Prints a revocation list of the open format as JSON, and makes one from JSON.
//!
//! ```sh
//! cargo run --example revocation_list -- new-key > key.pem
//! cargo run --example revocation_list -- keys key.pem > jwks.json
//! cargo run --example revocation_list -- make key.pem list.json > list.bin
//! cargo run --example revocation_list -- print list.bin --keys jwks.json --issuer https://auth.example.com
//! ```
//!
//! The JSON is `{"issuer": …, "issued_at": …, "expires_at": …, "covers": […], "statements": [{"effect": "block", "kind": "session",
//! "id": "s-1", "at": 1767225720.123, "reason": "key-compromise", "forget_at": …}]}`. Times are in seconds since the epoch.
//! `issued_at` defaults to now.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use serde::{Deserialize, Serialize};
use tower_revocation::crl::ListFormat;
use tower_revocation::crl::open::{ListContents, OpenList};
use tower_revocation::list_server::Signer;
use tower_revocation::{Effect, Event, InForce, LogPosition, Reason, Statement, Subject, Timestamp};

/// Prints and makes revocation lists.
#[derive(Parser)]
enum Command {
    /// Draws a signing key, and prints it in PEM.
    NewKey,
    /// Prints the JWK set of a signing key.
    Keys {
        /// The key, in PEM.
        key: PathBuf,
    },
    /// Signs a list, and writes it to the standard output.
    Make {
        /// The key, in PEM.
        key: PathBuf,
        /// What the list says, as JSON.
        list: PathBuf,
    },
    /// Verifies a list, and prints what it says.
    Print {
        /// The list.
        list: PathBuf,
        /// The JWK set of its issuer.
        #[arg(long)]
        keys: PathBuf,
        /// Whose list it has to be.
        #[arg(long)]
        issuer: String,
        /// When it is read, in seconds since the epoch: now, if it is not stated.
        #[arg(long)]
        at: Option<u64>,
    },
}

fn main() -> Result<(), Box<dyn Error>> {
    let read_key = |path: PathBuf| Ok::<_, Box<dyn Error>>(Signer::from_pem(&fs::read_to_string(path)?)?);
    let mut out = io::stdout().lock();
    match Command::parse() {
        Command::NewKey => write!(out, "{}", Signer::generate()?.to_pem())?,
        Command::Keys { key } => writeln!(out, "{}", read_key(key)?.jwk_set())?,
        Command::Make { key, list } => {
            let list: Listed = serde_json::from_slice(&fs::read(list)?)?;
            out.write_all(&read_key(key)?.sign_list(&list.contents()?)?)?;
        }
        Command::Print { list, keys, issuer, at } => {
            let format = OpenList::new(&issuer);
            let keys = format.read_keys(&fs::read(keys)?)?;
            let at = at.map_or_else(Timestamp::now, Timestamp::from_unix_secs);
            let contents = format.read_contents(&fs::read(list)?, &keys, at)?;
            serde_json::to_writer_pretty(&mut out, &Listed::of(&contents))?;
            writeln!(out)?;
        }
    }
    Ok(())
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    issuer: String,
    issued_at: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<f64>,
    /// Follows from the rest.
    #[serde(default, skip_deserializing)]
    generation: String,
    #[serde(default)]
    covers: Vec<Covered>,
    statements: Vec<Said>,
}

#[derive(Deserialize, Serialize)]
struct Covered {
    log: String,
    n: u64,
    digest: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Said {
    effect: String,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    id: String,
    at: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forget_at: Option<f64>,
}

impl Listed {
    fn of(contents: &ListContents) -> Self {
        let covered = |position: &LogPosition| Covered {
            log: position.log.to_string(),
            n: position.n,
            digest: position.digest.to_string(),
        };
        Self {
            issuer: contents.issuer.clone(),
            issued_at: Some(secs(contents.issued_at)),
            expires_at: contents.expires_at.map(secs),
            generation: contents.generation.clone(),
            covers: contents.in_force.covers.iter().map(covered).collect(),
            statements: contents.in_force.statements.iter().flat_map(Said::of).collect(),
        }
    }

    fn contents(self) -> Result<ListContents, Box<dyn Error>> {
        let mut in_force = InForce::default();
        for said in self.statements {
            in_force.statements.push(said.statement()?);
        }
        for covered in self.covers {
            in_force.covers.push(LogPosition {
                log: covered.log.parse()?,
                n: covered.n,
                digest: covered.digest.parse()?,
            });
        }
        let contents = ListContents::new(self.issuer, self.issued_at.map_or_else(Timestamp::now, date), in_force);
        Ok(match self.expires_at {
            Some(exp) => contents.with_expiry(date(exp)),
            None => contents,
        })
    }
}

impl Said {
    fn of(statement: &Statement) -> Vec<Self> {
        let said = |(subject, event): (&Subject, Event)| {
            let Event::Revoke(revocation) = event else { return None };
            let (effect, reason) = (revocation.effect(), revocation.reason());
            Some(Self {
                effect: effect.as_str().to_owned(),
                kind: subject.kind().as_str().to_owned(),
                name: subject.name().map(str::to_owned),
                id: subject.id().to_owned(),
                at: secs(revocation.effective_at()?),
                reason: (reason != Reason::Unspecified).then(|| reason.as_str().to_owned()),
                forget_at: revocation.forgotten_at().map(secs),
            })
        };
        statement
            .subjects()
            .iter()
            .zip(statement.events())
            .filter_map(said)
            .collect()
    }

    fn statement(self) -> Result<Statement, Box<dyn Error>> {
        let id = &*self.id;
        let subject = match (&*self.kind, &self.name) {
            ("client", None) => Subject::client(id),
            ("everything", None) => Subject::everything(),
            ("named", Some(name)) => Subject::named(name, id),
            ("session", None) => Subject::session(id),
            ("signing-key", None) => Subject::signing_key(id),
            ("subject", None) => Subject::subject(id),
            ("tenant", None) => Subject::tenant(id),
            ("token", None) => Subject::token(id),
            (kind, _) => return Err(format!("is not a kind of key: {kind}").into()),
        };
        let statement = match &*self.effect {
            effect if effect == Effect::Block.as_str() => Statement::block(subject),
            effect if effect == Effect::CutOff.as_str() => Statement::cut_off(subject),
            effect => return Err(format!("is neither block nor cut-off: {effect}").into()),
        };
        let known = [
            Reason::Unspecified,
            Reason::CessationOfOperation,
            Reason::KeyCompromise,
            Reason::PrivilegeWithdrawn,
            Reason::Superseded,
        ];
        let stated = self.reason.as_deref().unwrap_or(Reason::Unspecified.as_str());
        let reason = known.into_iter().find(|reason| reason.as_str() == stated);
        let reason = reason.ok_or_else(|| format!("is not a reason: {stated}"))?;
        let statement = statement.at(date(self.at)).because(reason);
        Ok(match self.forget_at {
            Some(forget_at) => statement.forget_at(date(forget_at)),
            None => statement,
        })
    }
}

fn secs(at: Timestamp) -> f64 {
    at.saturating_since(Timestamp::default()).as_secs_f64()
}

fn date(secs: f64) -> Timestamp {
    let since = Duration::try_from_secs_f64(secs).unwrap_or_default();
    Timestamp::default().saturating_add(Duration::from_millis(
        u64::try_from((since + Duration::from_micros(500)).as_millis()).unwrap_or(u64::MAX),
    ))
}
