//! An issuer that is killed at random moments, as `kill -9` does.

use std::collections::BTreeSet;
use std::env;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::published::Published;
use crate::{Home, SOURCE, all_published};

#[path = "../support/issuer/file_log.rs"]
mod file_log;
use file_log::FileLog;

/// Nothing that was durable is lost, nothing is published that was not stated, and the log has no hole. `ISSUER_KILLS` says how often.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_nothing_and_makes_nothing_up() {
    let kills = env::var("ISSUER_KILLS").map_or(30, |kills| kills.parse().unwrap());
    let home = Home::new();
    let log = home.0.path().join("log");
    let (mut begun, mut done) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..kills {
        let (some_begun, some_done) = run_and_kill(&home, &log, round);
        begun.extend(some_begun);
        done.extend(some_done);
    }
    assert!(
        done.len() > kills,
        "only {} statements were durable in {kills} rounds",
        done.len()
    );

    let issuer = home.open().publishing_to(FileLog::new(&log));
    all_published(&issuer).await;
    let status = issuer.status().unwrap();
    let published = Published::read(SOURCE, FileLog::new(&log).messages());
    let there: BTreeSet<_> = published
        .statements()
        .into_values()
        .map(|said| said.subjects()[0].id().to_owned())
        .collect();
    let lost: Vec<_> = done.difference(&there).collect();
    let made_up: Vec<_> = there.difference(&begun).collect();
    println!(
        "{kills} kills: {} statements were durable, {} were published",
        done.len(),
        there.len()
    );
    assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), done.len());
    assert!(made_up.is_empty(), "{made_up:?}");
    assert_eq!(published.logs.len(), 1, "a kill is no reason for a new log: {status:?}");
    let count = published.last().entries.len();
    assert_eq!(count, there.len(), "each statement has one number");
}

/// What it began to state, and what it said to be durable.
fn run_and_kill(home: &Home, log: &std::path::Path, round: usize) -> (Vec<String>, Vec<String>) {
    let mut child = Command::new(program())
        .arg(home.path())
        .arg(log)
        .arg(round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_micros(fastrand::u64(0..80_000)));
    child.kill().unwrap();
    child.wait().unwrap();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    let words = |what: &str| -> Vec<String> {
        let lines = said.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        let named = lines.filter_map(|line| line.strip_prefix(what)?.split(' ').next());
        named.map(str::to_owned).collect()
    };
    (words("begin "), words("done "))
}

/// Cargo builds examples before tests that are run all together.
fn program() -> PathBuf {
    let mut path = env::current_exe().unwrap();
    path.pop();
    path.pop();
    let program = path.join("examples/issuer_to_kill");
    assert!(
        program.is_file(),
        "build it: cargo build --features full --example issuer_to_kill"
    );
    program
}
