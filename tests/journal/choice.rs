//! What a start comes to that finds nothing of use.

use std::fs;
use std::path::Path;
use std::time::Duration;

use redb::{Database, TableDefinition};
use tower_revocation::crl::DEFAULT_FAST_PACE;
use tower_revocation::journal::{Journal, JournalError};
use tower_revocation::source::{self, Memory};
use tower_revocation::status::{FeedState, JournalStart};
use tower_revocation::{
    Applied, ApplyError, DecodeError, DomainConfig, EventSink, Key, ListPolicy, Revocation, RevocationList,
    StalePolicy, Timestamp, Verdict,
};

use crate::registry::{A, Registry, list};
use crate::support::{Process, ago, eventually, new_directory, open, until_closed, words};

/// A directory in which a token was revoked.
fn revoked() -> tempfile::TempDir {
    let directory = new_directory();
    let process = Process::start_without_lists(directory.path());
    process
        .sink
        .apply(Revocation::block(Key::token("t")))
        .unwrap()
        .wait()
        .unwrap();
    drop(process);
    until_closed(directory.path());
    directory
}

/// Ways to lose a journal, and what is said of each.
type Loss = (&'static str, fn(&Path), &'static str);

const LOSSES: [Loss; 7] = [
    (
        "garbage",
        |at| fs::write(at.join("journal.redb"), [7; 100_000]).unwrap(),
        "damaged",
    ),
    ("truncation", |at| truncate(at, "journal.redb", 5_000), "damaged"),
    // It used to be taken for a disk that fails: no event was kept any more, however often it was restarted.
    (
        "truncation within the head",
        |at| truncate(at, "journal.redb", 100),
        "damaged",
    ),
    ("truncation to nothing", |at| truncate(at, "journal.redb", 0), "damaged"),
    (
        "removal",
        |at| fs::remove_file(at.join("journal.redb")).unwrap(),
        "damaged",
    ),
    (
        "removal of the sequence",
        |at| fs::remove_file(at.join("sequence")).unwrap(),
        "damaged",
    ),
    (
        "another version",
        foreign_version,
        "written by another version: its format is 2",
    ),
];

#[test]
fn is_refused_by_default_and_names_the_file_and_the_cause() {
    let _ = Journal::open(new_directory().path());
    for (loss, lose, expected) in LOSSES {
        let directory = revoked();
        lose(directory.path());
        let error = Journal::open(directory.path()).unwrap_err();
        let words = words(&error);
        assert!(words.starts_with(directory.path().to_str().unwrap()), "{loss}: {words}");
        assert!(words.contains(expected), "{loss}: {words}");
        let again = Journal::open(directory.path()).unwrap_err();
        assert_eq!(self::words(&again), words, "{loss}: still");
        assert!(
            !directory.path().join("journal.redb.damaged").exists(),
            "{loss}: it is left to the host"
        );
    }
}

#[test]
fn starts_empty_and_admits_nobody_until_a_list_is_signed() {
    for (loss, lose, _) in LOSSES {
        let directory = revoked();
        lose(directory.path());
        let journal = Journal::open_or_start_empty(directory.path()).unwrap();
        assert_eq!((journal.start(), journal.entries()), (JournalStart::Lost, 0), "{loss}");
        let process = Process::with(journal, |config| config.with_stale_policy(StalePolicy::FailOpen));
        assert!(matches!(process.decide(Key::token("t")), Verdict::Unknown(_)), "{loss}");
        assert!(!process.sink.is_ready(), "{loss}");
        process
            .sink
            .apply(Revocation::block(Key::token("new")))
            .unwrap()
            .wait()
            .unwrap();
        process.sink.install_none().unwrap();
        assert!(!process.sink.is_ready(), "{loss}: anybody may have said so");
        process.sink.install(RevocationList::builder(ago(5)).build()).unwrap();
        assert!(process.sink.is_ready(), "{loss}");
        let status = process.journal();
        assert!(status.durable && status.last_error.is_some(), "{loss}");
        drop(process);
        // It goes on from there.
        let process = Process::start(directory.path());
        assert!(process.is_revoked(Key::token("new")), "{loss}");
        assert_eq!(process.journal().start, JournalStart::Restored, "{loss}");
    }
}

#[test]
fn where_there_are_no_lists_the_feed_makes_up_for_it() {
    let directory = revoked();
    truncate(directory.path(), "journal.redb", 0);
    let journal = Journal::open_or_start_empty(directory.path()).unwrap();
    let process = Process::with(journal, |config| config.with_lists(ListPolicy::NotUsed));
    process.sink.set_feed(FeedState::CatchingUp);
    assert!(!process.sink.is_ready());
    process
        .sink
        .apply(Revocation::block(Key::token("t")))
        .unwrap()
        .wait()
        .unwrap();
    process.sink.set_feed(FeedState::Live);
    assert!(process.sink.is_ready() && process.is_revoked(Key::token("t")));
    assert_eq!(process.decide(Key::token("other")), Verdict::Admit);
}

/// The loop that reads a feed knows whether it read all of it.
#[tokio::test]
async fn a_feed_that_lost_messages_makes_up_for_nothing() {
    let directory = revoked();
    truncate(directory.path(), "journal.redb", 0);
    let journal = Journal::open_or_start_empty(directory.path()).unwrap();
    let process = Process::with(journal, |config| config.with_lists(ListPolicy::NotUsed));
    let decode =
        |message: &[u8]| Ok::<_, DecodeError>(Revocation::block(Key::token(str::from_utf8(message).unwrap())).into());
    let live = async |sink: &EventSink, opened: u64| {
        while sink.status().feed.state != FeedState::Live || sink.status().feed.opened < opened {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let log = Memory::with_room("events", 1);
    log.publish("t");
    log.publish("u");
    let reading = tokio::spawn(source::drive(log.source(), decode, process.sink.clone()).run());
    live(&process.sink, 1).await;
    assert!(process.is_revoked(Key::token("u")) && !process.sink.is_ready());
    // What it was opened with again is complete. It still never saw the first message.
    log.cut();
    live(&process.sink, 2).await;
    assert!(!process.sink.is_ready());
    reading.abort();

    let log = Memory::new("events");
    log.publish("t");
    tokio::spawn(source::drive(log.source(), decode, process.sink.clone()).run());
    live(&process.sink, 3).await;
    // Once what it read is durable, which a busy disk takes its time for.
    while !process.sink.is_ready() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(process.is_revoked(Key::token("t")));
}

/// While the feed is live lists were fetched at the slow pace, though everybody was refused for want of one.
#[tokio::test(start_paused = true)]
async fn a_list_is_looked_for_at_the_fast_pace_until_the_loss_is_made_up_for() {
    let directory = revoked();
    truncate(directory.path(), "journal.redb", 0);
    let process = Process::with(Journal::open_or_start_empty(directory.path()).unwrap(), |layer| layer);
    process.sink.set_feed(FeedState::Live);
    let registry = Registry::new();
    registry.say_none_yet();
    let running = registry.run(&process.sink);
    process.sink.refreshed().await;
    assert_eq!(process.sink.status().poll.last_error, None);
    assert!(!process.sink.is_ready(), "anybody may have said so");
    let iat = Timestamp::now().as_unix_secs() - 5;
    registry.publish(list(iat, iat + 390, &[A], ("k1", 7)));
    tokio::time::sleep(DEFAULT_FAST_PACE.mul_f64(1.2)).await;
    eventually(|| process.sink.is_ready().then_some(()));
    running.abort();
}

/// It used to admit everybody at the second start: the new journal was in good order.
#[test]
fn a_loss_outlives_restarts_until_it_is_made_up_for() {
    let fail_open = |config: DomainConfig| config.with_stale_policy(StalePolicy::FailOpen);
    let directory = revoked();
    truncate(directory.path(), "journal.redb", 0);
    drop(Journal::open_or_start_empty(directory.path()).unwrap());
    for _ in 0..2 {
        let process = Process::with(open(directory.path()), fail_open);
        assert_eq!(process.journal().start, JournalStart::Lost);
        assert!(matches!(process.decide(Key::token("t")), Verdict::Unknown(_)) && !process.sink.is_ready());
        process.sink.set_feed(FeedState::Live);
        assert!(!process.sink.is_ready(), "lists are expected");
        // What is kept meanwhile makes up for nothing.
        process
            .sink
            .apply(Revocation::block(Key::token("new")))
            .unwrap()
            .wait()
            .unwrap();
    }
    let process = Process::with(open(directory.path()), fail_open);
    process.sink.install(RevocationList::builder(ago(5)).build()).unwrap();
    drop(process);
    let process = Process::with(open(directory.path()), fail_open);
    assert!(process.sink.is_ready());
    drop(process);

    let directory = revoked();
    truncate(directory.path(), "journal.redb", 0);
    drop(Journal::open_or_start_empty(directory.path()).unwrap());
    let process = Process::start_without_lists(directory.path());
    assert!(!process.sink.is_ready());
    process.sink.set_feed(FeedState::Live);
    drop(process);
    assert!(Process::start_without_lists(directory.path()).sink.is_ready());
}

/// Nothing that was set aside is ever overwritten.
#[test]
fn what_is_set_aside_stays() {
    let directory = revoked();
    for name in ["journal.redb.damaged", "journal.redb.damaged.1"] {
        fs::write(directory.path().join("journal.redb"), name).unwrap();
        drop(Journal::open_or_start_empty(directory.path()).unwrap());
        assert_eq!(fs::read_to_string(directory.path().join(name)).unwrap(), name);
    }
    let first = directory.path().join("journal.redb.damaged");
    assert_eq!(fs::read_to_string(first).unwrap(), "journal.redb.damaged");
}

/// It used to be taken for a new directory: everything had been set aside, and nothing was in its place.
#[test]
fn a_start_that_was_killed_while_it_set_things_aside_is_a_loss() {
    let directory = revoked();
    for name in ["journal.redb", "sequence"] {
        fs::remove_file(directory.path().join(name)).unwrap();
    }
    fs::write(directory.path().join("loss"), "").unwrap();
    let error = Journal::open(directory.path()).unwrap_err();
    assert!(
        words(&error).ends_with("journal.redb: damaged: is missing"),
        "{}",
        words(&error)
    );
    let journal = Journal::open_or_start_empty(directory.path()).unwrap();
    assert_eq!(journal.start(), JournalStart::Lost);
    assert!(!directory.path().join("loss").exists());
}

/// What could not be read may be good, and is left alone: it takes a restart to take it over.
#[test]
fn what_cannot_be_read_is_not_touched() {
    let directory = revoked();
    // In the way of what every start does.
    let probe = directory.path().join(format!("probe.{}", std::process::id()));
    fs::create_dir(&probe).unwrap();
    let error = Journal::open(directory.path()).unwrap_err();
    assert!(matches!(error, JournalError::Failed { .. }), "{error}");
    assert!(error.to_string().starts_with(probe.to_str().unwrap()), "{error}");
    let process = Process::with(Journal::open_or_start_empty(directory.path()).unwrap(), |layer| layer);
    assert_eq!(process.journal().start, JournalStart::Lost);
    let key = Key::token("u");
    assert!(
        process
            .sink
            .apply(Revocation::block(key))
            .and_then(Applied::wait)
            .is_err()
    );
    fs::remove_dir(&probe).unwrap();
    eventually(|| {
        let error = process
            .sink
            .apply(Revocation::block(key))
            .and_then(Applied::wait)
            .unwrap_err();
        error.to_string().contains("a restart takes over").then_some(())
    });
    assert!(process.is_revoked(key) && !process.sink.is_ready());
    drop(process);
    let process = Process::start_without_lists(directory.path());
    assert!(process.is_revoked(Key::token("t")));
    assert!(!directory.path().join("journal.redb.damaged").exists());
}

/// A directory that cannot be used, and later can.
#[test]
fn an_unusable_directory_leaves_the_service_up() {
    let directory = new_directory();
    let path = directory.path().join("state");
    fs::write(&path, "in the way").unwrap();
    assert!(matches!(Journal::open(&path), Err(JournalError::Failed { .. })));
    let journal = Journal::open_or_start_empty(&path).unwrap();
    let process = Process::with(journal, |config| config.with_lists(ListPolicy::NotUsed));
    let key = Key::token("t");
    let refused = process
        .sink
        .apply(Revocation::block(key))
        .and_then(Applied::wait)
        .unwrap_err();
    assert!(matches!(&refused, ApplyError::NotDurable { problem } if problem.starts_with(path.to_str().unwrap())));
    assert!(process.is_revoked(key), "in force all the same");
    let status = process.journal();
    assert!(!status.durable && status.failures > 0, "{status:?}");
    assert!(status.last_error.unwrap().starts_with(path.to_str().unwrap()));

    fs::remove_file(&path).unwrap();
    // The event is delivered again until it is taken.
    eventually(|| process.sink.apply(Revocation::block(key)).and_then(Applied::wait).ok());
    assert!(process.journal().durable);
    drop(process);
    assert!(Process::start_without_lists(&path).is_revoked(key));
}

fn truncate(directory: &Path, name: &str, length: u64) {
    let file = fs::File::options().write(true).open(directory.join(name)).unwrap();
    file.set_len(length).unwrap();
}

fn foreign_version(directory: &Path) {
    let database = Database::open(directory.join("journal.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let numbers = TableDefinition::<&str, u64>::new("numbers");
        transaction.open_table(numbers).unwrap().insert("format", 2).unwrap();
    }
    transaction.commit().unwrap();
}
