//! Lists that are in the host's own database.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower_revocation::crl::{DEFAULT_FAST_PACE, DEFAULT_SLOW_PACE, FETCH_GAP, ListSource, SourcePoller};
use tower_revocation::source::{self, Memory};
use tower_revocation::status::FeedState;
use tower_revocation::{
    ConcernCode, DecodeError, Decoded, EventSink, InForce, Revocation, RevocationLayer, Statement, Subject, Timestamp,
};

use crate::support::{ByHeader, by_header, status_of, words};

/// A database of blocked subjects, which answers as told.
#[derive(Clone, Default)]
struct Database(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    blocked: Vec<&'static str>,
    fails: Option<Failure>,
    asked: Vec<Instant>,
}

#[derive(Clone, Copy)]
enum Failure {
    Error,
    Hang,
    Panic,
}

impl Database {
    fn of(blocked: &[&'static str]) -> Self {
        let database = Self::default();
        database.block(blocked);
        database
    }

    fn block(&self, blocked: &[&'static str]) {
        self.0.lock().unwrap().blocked = blocked.to_vec();
    }

    fn fail(&self, how: impl Into<Option<Failure>>) {
        self.0.lock().unwrap().fails = how.into();
    }

    fn asked(&self) -> Vec<Instant> {
        self.0.lock().unwrap().asked.clone()
    }
}

impl ListSource for Database {
    type Error = std::io::Error;

    async fn in_force(&self) -> Result<InForce, Self::Error> {
        let (blocked, fails) = {
            let mut table = self.0.lock().unwrap();
            table.asked.push(Instant::now());
            (table.blocked.clone(), table.fails)
        };
        match fails {
            None => {}
            Some(Failure::Error) => return Err(std::io::Error::other("no connection")),
            Some(Failure::Hang) => pending().await,
            Some(Failure::Panic) => panic!("no column of this name"),
        }
        let at = Timestamp::from_unix_secs(1_700_000_000);
        let block = |id: &&str| Statement::block(Subject::subject(id)).at(at);
        Ok(InForce {
            statements: blocked.iter().map(block).collect(),
            covers: Vec::new(),
        })
    }
}

fn polled(database: &Database) -> (RevocationLayer<ByHeader>, EventSink) {
    let (layer, sink) = RevocationLayer::pair(by_header as ByHeader);
    tokio::spawn(SourcePoller::new(database.clone(), sink.clone()).run());
    (layer, sink)
}

#[tokio::test(start_paused = true)]
async fn what_the_database_says_is_in_force_until_it_says_otherwise() {
    let database = Database::of(&["mallory"]);
    let (layer, sink) = polled(&database);
    assert_eq!(status_of(&layer, "alice").await, 503);
    sink.refreshed().await;
    assert_eq!(status_of(&layer, "alice").await, 200);
    assert_eq!(status_of(&layer, "mallory").await, 401);
    database.block(&["alice"]);
    sink.refreshed().await;
    assert_eq!(status_of(&layer, "alice").await, 401);
    assert_eq!(status_of(&layer, "mallory").await, 200);
    let status = sink.status();
    assert!(status.concerns.is_empty(), "{:?}", status.concerns);
    assert!(status.poll.signing_keys.is_none(), "nobody signs");
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_at_the_paces_of_the_feed() {
    let database = Database::of(&[]);
    let (_layer, sink) = polled(&database);
    let pause_after = |count: usize| {
        let database = database.clone();
        async move {
            while database.asked().len() < count + 1 {
                sleep(Duration::from_millis(100)).await;
            }
            let asked = database.asked();
            asked[count] - asked[count - 1]
        }
    };
    let is_about = |pause: Duration, pace: Duration| pause >= pace.mul_f64(0.9) && pause <= pace.mul_f64(1.1);
    let pause = pause_after(1).await;
    assert!(is_about(pause, DEFAULT_FAST_PACE), "{pause:?}");
    // A feed that comes back has it asked at once.
    let before = database.asked().len();
    sink.set_feed(FeedState::Live);
    let pause = pause_after(before).await;
    assert!(pause <= DEFAULT_FAST_PACE, "{pause:?}");
    let pause = pause_after(before + 1).await;
    assert!(is_about(pause, DEFAULT_SLOW_PACE), "{pause:?}");
}

#[tokio::test(start_paused = true)]
async fn however_many_ask_it_is_asked_once() {
    let database = Database::of(&[]);
    let (_layer, sink) = polled(&database);
    sink.refreshed().await;
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let sink = sink.clone();
            tokio::spawn(async move { sink.refreshed().await })
        })
        .collect();
    for waiting in waiting {
        waiting.await.unwrap();
    }
    let asked = database.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[1] - asked[0] >= FETCH_GAP);
}

#[tokio::test(start_paused = true)]
async fn a_failure_changes_nothing_and_shows() {
    let database = Database::of(&["mallory"]);
    let (layer, sink) = polled(&database);
    sink.refreshed().await;
    for (fails, expected) in [
        (
            Failure::Error,
            "list source: cannot say what is in force: no connection",
        ),
        (Failure::Hang, "list source: no complete answer within 30s"),
        (
            Failure::Panic,
            "list source: cannot say what is in force: the host's code panicked: no column of this name",
        ),
    ] {
        database.fail(fails);
        sink.refreshed().await;
        let status = sink.status();
        assert_eq!(status.poll.last_error.as_deref(), Some(expected));
        assert_eq!(status_of(&layer, "mallory").await, 401);
        assert_eq!(status_of(&layer, "alice").await, 200);
        let said = words(&sink, ConcernCode::ListAging).unwrap();
        assert!(said.contains(expected), "{said}");
    }
    database.fail(None);
    sink.refreshed().await;
    assert!(sink.status().concerns.is_empty());
    // A database that stays away makes it stale, as a registry does.
    database.fail(Failure::Error);
    sleep(tower_revocation::DEFAULT_MAX_AGE + Duration::from_secs(1)).await;
    assert_eq!(status_of(&layer, "alice").await, 503);
    assert_eq!(status_of(&layer, "mallory").await, 401);
}

/// `+id` blocks.
fn plain(message: &[u8]) -> Result<Decoded, DecodeError> {
    let id = std::str::from_utf8(&message[1..]).map_err(|_| DecodeError::new("body", "is not text"))?;
    Ok(Decoded::from(Revocation::block(tower_revocation::Key::subject(id))))
}

/// What takes a host 37 lines by hand.
#[tokio::test(start_paused = true)]
async fn a_gap_in_the_feed_is_closed_by_what_the_database_says() {
    let log = Memory::with_room("revocations", 1);
    log.publish("+lost");
    log.publish("+kept");
    let database = Database::of(&[]);
    database.fail(Failure::Error);
    let (layer, sink) = polled(&database);
    sink.refreshed().await;
    tokio::spawn(source::drive(log.source(), plain as fn(&[u8]) -> _, sink.clone()).run());
    while sink.status().feed.gaps == 0 {
        sleep(Duration::from_millis(100)).await;
    }
    sleep(Duration::from_secs(60)).await;
    assert!(sink.status().feed.last_gap.unwrap().is_open, "the database is away");
    database.block(&["lost"]);
    database.fail(None);
    while sink.status().feed.state != FeedState::Live {
        sleep(Duration::from_millis(100)).await;
    }
    assert!(!sink.status().feed.last_gap.unwrap().is_open);
    assert_eq!(status_of(&layer, "lost").await, 401);
    assert_eq!(status_of(&layer, "kept").await, 401);
    assert_eq!(status_of(&layer, "alice").await, 200);
}

#[tokio::test(start_paused = true)]
async fn a_closure_is_a_source() {
    let (layer, sink) = RevocationLayer::pair(by_header as ByHeader);
    let source = || async {
        let statements = vec![Statement::block(Subject::subject("mallory"))];
        Ok::<_, std::io::Error>(InForce {
            statements,
            covers: Vec::new(),
        })
    };
    let poller = SourcePoller::new(source, sink.clone())
        .with_slow_pace(Duration::from_secs(5))
        .with_fast_pace(Duration::from_secs(5))
        .with_timeout(Duration::from_secs(1));
    tokio::spawn(poller.run());
    sink.refreshed().await;
    assert_eq!(status_of(&layer, "mallory").await, 401);
}
