//! A list of the host's own database, kept without a signature.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinHandle;
use tower_revocation::crl::SourcePoller;
use tower_revocation::journal::Journal;
use tower_revocation::status::JournalStart;
use tower_revocation::{EventSink, InForce, Key, Revocation, Statement, Subject, Verdict};

use crate::registry::Registry;
use crate::support::{Process, ago, new_directory, until_closed};

/// A database in which one session is blocked, and that may be away.
fn poller(sink: &EventSink, is_away: &Arc<AtomicBool>) -> SourcePoller<impl tower_revocation::crl::ListSource + use<>> {
    let is_away = Arc::clone(is_away);
    let source = move || {
        let is_away = is_away.load(Ordering::Relaxed);
        async move {
            if is_away {
                return Err(std::io::Error::other("no connection"));
            }
            Ok(InForce {
                statements: vec![Statement::block(Subject::session("s-1")).at(ago(60))],
                covers: Vec::new(),
            })
        }
    };
    SourcePoller::new(source, sink.clone())
}

fn run(sink: &EventSink, is_away: bool) -> JoinHandle<std::convert::Infallible> {
    tokio::spawn(poller(sink, &Arc::new(AtomicBool::new(is_away))).run())
}

/// Leaves a directory in which a process kept what its database said, and an event that it had of the same session.
async fn keep(directory: &Path) {
    let process = Process::start(directory);
    let said = Revocation::block(Key::session("s-1")).at(ago(61));
    process.sink.apply(said).unwrap().wait().unwrap();
    let running = run(&process.sink, false);
    process.sink.refreshed().await;
    assert_eq!(process.sink.status().poll.last_error, None);
    // The list has taken it over.
    process.until_kept(0);
    running.abort();
    let _ = running.await;
    drop(process);
    until_closed(directory);
}

#[tokio::test]
async fn a_restart_decides_by_it_while_the_database_is_away() {
    let directory = new_directory();
    keep(directory.path()).await;
    let process = Process::start(directory.path());
    assert!(!process.sink.is_ready());
    let running = run(&process.sink, true);
    process.sink.refreshed().await;
    assert!(process.sink.is_ready());
    assert!(process.is_revoked(Key::session("s-1")));
    assert_eq!(process.decide(Key::session("s-2")), Verdict::Admit);
    let error = process.sink.status().poll.last_error.unwrap();
    assert!(error.contains("no connection"), "{error}");
    assert!(process.journal().restored_list);
    running.abort();
}

#[tokio::test]
async fn a_restart_without_a_poller_knows_that_it_is_missing() {
    let directory = new_directory();
    keep(directory.path()).await;
    let process = Process::start(directory.path());
    assert!(!process.sink.is_ready() && !process.is_revoked(Key::session("s-1")));
    // As soon as the database is read, all is well.
    let running = run(&process.sink, false);
    process.sink.refreshed().await;
    assert!(process.sink.is_ready() && process.is_revoked(Key::session("s-1")));
    running.abort();
}

#[tokio::test]
async fn one_that_is_damaged_is_refused_until_the_database_is_read() {
    let directory = new_directory();
    keep(directory.path()).await;
    let file = directory.path().join("list");
    let mut kept = fs::read(&file).unwrap();
    let last = kept.len() - 1;
    kept[last] ^= 1;
    fs::write(&file, &kept).unwrap();
    {
        let process = Process::start(directory.path());
        let error = poller(&process.sink, &Arc::default())
            .restore()
            .unwrap_err()
            .to_string();
        assert!(error.contains("body is not the one of the manifest"), "{error}");
        assert!(!process.sink.is_ready());
    }
    until_closed(directory.path());
    let journal = Journal::open_or_start_empty(directory.path()).unwrap();
    let process = Process::with(journal, |config| config);
    let is_away = Arc::new(AtomicBool::new(true));
    let running = tokio::spawn(poller(&process.sink, &is_away).run());
    process.sink.refreshed().await;
    assert!(!process.sink.is_ready());
    assert_eq!(process.journal().start, JournalStart::Lost);
    is_away.store(false, Ordering::Relaxed);
    process.sink.refreshed().await;
    assert!(process.sink.is_ready() && process.is_revoked(Key::session("s-1")));
    running.abort();
}

#[tokio::test]
async fn what_another_kind_of_poller_kept_is_not_taken_for_it() {
    let directory = new_directory();
    keep(directory.path()).await;
    let process = Process::start(directory.path());
    let error = Registry::new().restore(&process.sink).unwrap_err().to_string();
    assert!(error.contains("body is not readable JSON"), "{error}");
    assert!(!process.sink.is_ready());
}
