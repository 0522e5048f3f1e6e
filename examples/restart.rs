//! How long does a gateway take to know again what it knew, with a million events and a list of a million entries?
//!
//! ```text
//! cargo run --release --example restart -- [ENTRIES]
//! ```
//!
//! One process is told all of it and killed. Five others start from what it left, one after another, each in a process of its
//! own, while there is no registry; each is killed as well.

#[path = "common/signed_list.rs"]
mod signed_list;

use std::convert::Infallible;
use std::error::Error;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use ed25519_dalek::SigningKey;
use http::{Request, Response, Uri};
use http_body_util::{Empty, Full};
use signed_list::signed;
use tower::service_fn;
use tower_revocation::crl::Poller;
use tower_revocation::crl::clawdentity::ClawdentityList;
use tower_revocation::journal::Journal;
use tower_revocation::{Credential, DomainConfig, EventSink, Key, Revocation, RevocationLayer, Verdict};

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["fill", directory, entries] => fill(Path::new(directory), entries.parse()?),
        ["start", directory, entries] => start(Path::new(directory), entries.parse()?),
        [] => measure(1_000_000),
        [entries] => measure(entries.parse()?),
        _ => Err("expected a number of entries".into()),
    }
}

/// Runs all the processes.
#[expect(clippy::print_stdout, reason = "figures are what it is for")]
fn measure(entries: usize) -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let run = |what: &str| {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(what).arg(directory.path()).arg(entries.to_string());
        // It is killed, so how it ended says nothing.
        let output = command.output()?;
        let text = String::from_utf8(output.stdout)?;
        match text.trim() {
            "" => Err(Failure::from(String::from_utf8_lossy(&output.stderr).into_owned())),
            line => Ok(line.to_owned()),
        }
    };
    println!("filled    {}", run("fill")?);
    for _ in 0..5 {
        println!("started   {}", run("start")?);
    }
    Ok(())
}

/// Is told everything.
#[expect(clippy::print_stdout, reason = "figures are what it is for")]
#[tokio::main(flavor = "current_thread")]
async fn fill(directory: &Path, entries: usize) -> Result<(), Failure> {
    let started = Instant::now();
    let sink = sink(Journal::open(directory)?, entries)?;
    for batch in 0..entries.div_ceil(BATCH) {
        let numbers = batch * BATCH..((batch + 1) * BATCH).min(entries);
        sink.apply_all(numbers.map(|number| Revocation::block(subject(number))))?
            .wait()?;
    }
    let told = started.elapsed();
    let poller = poller(
        signed(entries, &signing_key()).map_err(|error| error.to_string())?,
        &sink,
    );
    tokio::spawn(poller.run());
    let started = Instant::now();
    sink.refreshed().await;
    let status = sink.status();
    if let Some(error) = status.poll.last_error {
        return Err(error.into());
    }
    let bytes = status.journal.map_or(0, |journal| journal.bytes);
    println!(
        "{entries} events in batches of {BATCH}: {:.1} s; list fetched, installed and kept: {:.1} s; {:.0} MB on disk",
        told.as_secs_f64(),
        started.elapsed().as_secs_f64(),
        bytes as f64 / 1e6
    );
    std::process::abort()
}

/// Knows it again.
#[expect(clippy::print_stdout, reason = "figures are what it is for")]
fn start(directory: &Path, entries: usize) -> Result<(), Failure> {
    let began = Instant::now();
    let journal = Journal::open(directory)?;
    let opened = began.elapsed();
    let sink = sink(journal, entries)?;
    let in_force = began.elapsed();
    poller(String::new(), &sink).restore()?;
    let restored = began.elapsed();
    let last = entries.saturating_sub(1);
    for key in [subject(0), subject(last), token(0), token(last)] {
        assert!(matches!(sink.decide(&key.into()), Verdict::Revoked(_)), "{key:?}");
    }
    assert_eq!(sink.decide(&subject(entries).into()), Verdict::Admit);
    let millis = |duration: Duration| duration.as_secs_f64() * 1e3;
    println!(
        "{:.0} ms: journal verified and read {:.0}, in force {:.0}, list verified, indexed and in force {:.0}",
        millis(restored),
        millis(opened),
        millis(in_force - opened),
        millis(restored - in_force),
    );
    std::process::abort()
}

fn sink(journal: Journal, entries: usize) -> Result<EventSink, Failure> {
    let capacity = NonZeroUsize::new(entries).ok_or("at least one entry")?;
    let config = DomainConfig::new().with_capacity(capacity);
    let (_, sink) = RevocationLayer::pair_with(config, |_: &()| None::<Credential>);
    sink.keep_in(journal)?;
    Ok(sink)
}

/// A poller of a registry in this process.
fn poller(
    list: String,
    sink: &EventSink,
) -> Poller<
    impl tower::Service<Request<Empty<Bytes>>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
    + Send
    + use<>,
    ClawdentityList,
> {
    let x = URL_SAFE_NO_PAD.encode(signing_key().verifying_key().as_bytes());
    let keys = format!(r#"{{"keys":[{{"kid":"k1","alg":"EdDSA","crv":"Ed25519","x":"{x}","status":"active"}}]}}"#);
    let (list, keys) = (Bytes::from(list), Bytes::from(keys));
    let client = service_fn(move |request: Request<Empty<Bytes>>| {
        let body = if request.uri().path() == "/keys" { &keys } else { &list };
        let response = Response::new(Full::new(body.clone()));
        async { Ok(response) }
    });
    let uri = |path: &'static str| Uri::from_static(path);
    Poller::new(
        client,
        ClawdentityList::new("https://registry.example.com"),
        uri("http://registry/list"),
        uri("http://registry/keys"),
        sink.clone(),
    )
}

fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn subject(number: usize) -> Key {
    Key::subject(&format!("agent {number}"))
}

fn token(number: usize) -> Key {
    Key::token(&format!("{number:026}"))
}

const BATCH: usize = 1_000;
