//! A restart where there is no list: what an earlier process read of the feed.

use std::path::Path;
use std::time::Duration;

use tower_revocation::source::{self, Memory};
use tower_revocation::status::FeedState;
use tower_revocation::{DecodeError, EventSink, Key, Revocation, Verdict};

use crate::support::{Process, new_directory, open, until_closed};

/// Reads a log until the feed is in this state.
async fn read_until(log: &Memory, sink: &EventSink, state: FeedState) {
    let decode =
        |message: &[u8]| Ok::<_, DecodeError>(Revocation::block(Key::token(str::from_utf8(message).unwrap())).into());
    let reading = tokio::spawn(source::drive(log.source(), decode, sink.clone()).run());
    while sink.status().feed.state != state {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    reading.abort();
    let _ = reading.await;
}

async fn live_once(directory: &Path) -> Memory {
    let log = Memory::new("events");
    log.publish("t");
    let process = Process::start_without_lists(directory);
    read_until(&log, &process.sink, FeedState::Live).await;
    // What is asked for in one order is written in it.
    process
        .sink
        .apply(Revocation::block(Key::token("u")))
        .unwrap()
        .wait()
        .unwrap();
    log.set_away(true);
    drop(process);
    until_closed(directory);
    log
}

#[tokio::test]
async fn a_restart_while_the_broker_is_away_goes_on_with_what_is_kept() {
    let directory = new_directory();
    let log = live_once(directory.path()).await;
    let process = Process::start_without_lists(directory.path());
    read_until(&log, &process.sink, FeedState::Down).await;
    assert!(process.sink.is_ready() && process.is_revoked(Key::token("t")));
    assert_eq!(process.decide(Key::token("other")), Verdict::Admit);
}

#[tokio::test]
async fn what_is_kept_is_too_old_after_a_while_as_a_list_would_be() {
    let directory = new_directory();
    let log = live_once(directory.path()).await;
    // More time than nothing has passed.
    let process = Process::with(open(directory.path()), |config| {
        let config = config.with_lists(tower_revocation::ListPolicy::NotUsed);
        std::thread::sleep(Duration::from_millis(2));
        config.with_max_age(Duration::ZERO)
    });
    read_until(&log, &process.sink, FeedState::Down).await;
    assert!(!process.sink.is_ready() && process.is_revoked(Key::token("t")));
}

/// It has a journal, and that is all it has: its first process never got to the broker.
#[tokio::test]
async fn a_journal_of_a_process_that_never_read_the_feed_makes_nobody_ready() {
    let directory = new_directory();
    let log = Memory::new("events");
    log.set_away(true);
    for _restart in 0..2 {
        let process = Process::start_without_lists(directory.path());
        process
            .sink
            .apply(Revocation::block(Key::token("t")))
            .unwrap()
            .wait()
            .unwrap();
        read_until(&log, &process.sink, FeedState::Down).await;
        assert!(!process.sink.is_ready() && process.is_revoked(Key::token("t")));
        drop(process);
        until_closed(directory.path());
    }
}
