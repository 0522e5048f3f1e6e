//! An issuer that is killed: it states as fast as it can, and publishes to a file, until somebody ends it.
//!
//! `issuer_to_kill DIRECTORY LOG ROUND`. It writes `begin NAME` before each statement and `done NAME ID` when it is durable.

#![expect(clippy::print_stdout, reason = "whoever kills it reads that")]
#![expect(clippy::unwrap_used, reason = "a program of tests")]

mod file_log;

use std::env::args;
use std::time::Duration;

use tower_revocation::issuer::Issuer;
use tower_revocation::{Statement, Subject};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = args().skip(1).collect();
    let [directory, log, round] = &arguments[..] else {
        panic!("issuer_to_kill DIRECTORY LOG ROUND");
    };
    let issuer = Issuer::open(directory, "https://auth.example.com")
        .unwrap()
        .with_heartbeat(Duration::from_millis(100))
        .publishing_to(file_log::FileLog::new(log));
    for turn in 0.. {
        let name = format!("{round}-{turn}");
        println!("begin {name}");
        let id = issuer.revoke(Statement::block(Subject::session(&name))).await.unwrap();
        println!("done {name} {id}");
    }
}
