//! The loop that reads feeds, over a log in memory that fails as brokers do, and a paused clock.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout};
use tower_revocation::source::{
    self, Continuity, DEFAULT_PATIENCE, DEFAULT_SILENCE, DeadLetter, DeadLetterPolicy, Delivery, Drive, EventSource,
    LogDelivery, Memory, MemorySource, Position, Retry, Signal, SourceError, Start,
};
use tower_revocation::status::FeedStatus;
use tower_revocation::{
    ConcernCode, DecodeError, Decoded, EventSink, FeedState, Key, ListPolicy, Revocation, RevocationList, Timestamp,
};

use crate::support::{fresh_pair, status_of};

/// `+<subject>` revokes, `!<seconds>` is a heartbeat of that age, `#` is ignored, and anything else cannot be read.
pub(crate) fn plain(message: &[u8]) -> Result<Decoded, DecodeError> {
    let text = std::str::from_utf8(message).map_err(|_| DecodeError::new("body", "is not text"))?;
    match text.split_at_checked(1) {
        Some(("+", subject)) => Ok(Decoded::from(Revocation::block(Key::subject(subject)))),
        Some(("!", age)) => {
            let age = age.parse().map_err(|_| DecodeError::new("age", "is not a number"))?;
            Ok(Decoded::Heartbeat(
                Timestamp::now().saturating_sub(Duration::from_secs(age)),
            ))
        }
        Some(("#", _)) => Ok(Decoded::Ignored("not ours".into())),
        _ => Err(DecodeError::new("body", "makes no sense")),
    }
}

type Plain = fn(&[u8]) -> Result<Decoded, DecodeError>;

/// A feed of the log that finds a list for every gap at once.
fn feed(log: &Memory, sink: &EventSink) -> Drive<MemorySource, Plain, impl source::Resync + use<>> {
    source::drive(log.source(), plain as Plain, sink.clone()).with_resync(|_| async { Ok(()) })
}

/// Waits until the feed's status is as wanted.
async fn until(sink: &EventSink, wanted: impl Fn(&FeedStatus) -> bool) -> FeedStatus {
    let poll = async {
        loop {
            let feed = sink.status().feed;
            if wanted(&feed) {
                return feed;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let Ok(feed) = timeout(Duration::from_secs(60), poll).await else {
        panic!("not in time: {:?}", sink.status().feed);
    };
    feed
}

async fn until_live(sink: &EventSink) -> FeedStatus {
    until(sink, |feed| feed.state == FeedState::Live).await
}

async fn until_entries(sink: &EventSink, entries: usize) {
    let poll = async {
        while sink.status().overlay.entries < entries {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = timeout(Duration::from_secs(60), poll).await;
    assert!(in_time.is_ok(), "{:?}", sink.status());
}

/// Whether a future is over after everything had time to go as far as it can.
async fn settles(sink: &EventSink) -> usize {
    tokio::time::sleep(Duration::from_millis(50)).await;
    sink.status().overlay.entries
}

#[tokio::test(start_paused = true)]
async fn every_replica_sees_every_event_and_says_how_its_feed_is() {
    let log = Memory::new("revocations");
    log.publish("+before");
    let replicas = [fresh_pair(), fresh_pair(), fresh_pair()];
    for (_, sink) in &replicas {
        assert_eq!(sink.status().feed.state, FeedState::Unknown);
        tokio::spawn(feed(&log, sink).run());
    }
    for (_, sink) in &replicas {
        until_live(sink).await;
    }
    log.publish("+after");
    log.publish("#");
    for (layer, sink) in &replicas {
        until_entries(sink, 2).await;
        assert_eq!(status_of(layer, "before").await, 401);
        assert_eq!(status_of(layer, "after").await, 401);
        let status = until(sink, |feed| feed.unacknowledged == 0 && feed.lag == Some(0)).await;
        assert_eq!(status.source.as_deref(), Some("memory:revocations"));
        assert_eq!((status.opened, status.gaps), (1, 0));
        assert!(status.last_error.is_none() && status.last_gap.is_none());
        assert!(status.last_signal_ms_ago.unwrap() <= 1_000);
    }
}

#[tokio::test(start_paused = true)]
async fn reads_from_when_the_list_was_issued_less_a_margin() {
    let log = Memory::new("revocations");
    log.publish("+published before the list, within the margin");
    let (_layer, sink) = fresh_pair();
    tokio::spawn(feed(&log, &sink).run());
    until_live(&sink).await;
    assert_eq!(sink.status().overlay.entries, 1);

    // The list is from the future, so that without a margin nothing is new enough.
    let (_layer, sink) = fresh_pair();
    let in_a_while = Timestamp::now().saturating_add(Duration::from_secs(30));
    sink.install(RevocationList::builder(in_a_while).build()).unwrap();
    tokio::spawn(feed(&log, &sink).with_margin(Duration::ZERO).run());
    until_live(&sink).await;
    assert_eq!(sink.status().overlay.entries, 0);
}

#[tokio::test(start_paused = true)]
async fn where_there_are_no_lists_everything_is_read_that_is_kept() {
    let log = Starts::default();
    let (_layer, sink) = fresh_pair();
    sink.configure(|config| config.with_lists(ListPolicy::NotUsed));
    tokio::spawn(source::drive(log.clone(), plain as Plain, sink.clone()).run());
    until(&sink, |feed| feed.opened == 1).await;
    let since = Timestamp::now().saturating_since(log.0.lock().unwrap()[0].time());
    let expected = tower_revocation::DEFAULT_RETENTION + source::DEFAULT_MARGIN;
    assert!(
        since >= expected && since < expected + Duration::from_secs(10),
        "{since:?}"
    );
    // If nothing is ever forgotten, everything is wanted.
    let log = Starts::default();
    let (_layer, sink) = fresh_pair();
    sink.configure(|config| config.with_lists(ListPolicy::NotUsed).with_retention(Duration::MAX));
    tokio::spawn(source::drive(log.clone(), plain as Plain, sink.clone()).run());
    until(&sink, |feed| feed.opened == 1).await;
    assert_eq!(log.0.lock().unwrap()[0].time(), Timestamp::default());
}

#[tokio::test(start_paused = true)]
async fn where_there_are_no_lists_nobody_waits_for_one() {
    let log = Memory::with_room("revocations", 1);
    log.publish("+lost");
    log.publish("+kept");
    let (_layer, sink) = fresh_pair();
    sink.configure(|config| config.with_lists(ListPolicy::NotUsed));
    let started = Instant::now();
    tokio::spawn(source::drive(log.source(), plain as Plain, sink.clone()).run());
    let status = until_live(&sink).await;
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(
        (status.gaps, status.last_gap.unwrap().is_open),
        (1, true),
        "nothing makes up for it"
    );
    assert_eq!(sink.status().overlay.entries, 1);
}

/// The feed used to catch up for ever, with a list that nobody needs any more.
#[tokio::test(start_paused = true)]
async fn a_list_is_not_waited_for_once_lists_are_not_used() {
    let log = Memory::with_room("revocations", 1);
    log.publish("+lost");
    log.publish("+kept");
    let (_layer, sink) = tower_revocation::RevocationLayer::pair(crate::support::by_header);
    let feed = source::drive(log.source(), plain as Plain, sink.clone());
    tokio::spawn(feed.with_resync(|_| pending()).run());
    until(&sink, |feed| feed.gaps == 1).await;
    sink.configure(|config| config.with_lists(ListPolicy::NotUsed));
    until_live(&sink).await;
}

#[tokio::test(start_paused = true)]
async fn before_the_first_list_as_much_is_read_as_a_list_may_be_old() {
    let log = Starts::default();
    let (_layer, sink) = tower_revocation::RevocationLayer::pair(crate::support::by_header);
    tokio::spawn(source::drive(log.clone(), plain as Plain, sink.clone()).run());
    until(&sink, |feed| feed.opened == 1).await;
    let since = Timestamp::now().saturating_since(log.0.lock().unwrap()[0].time());
    let expected = tower_revocation::DEFAULT_MAX_AGE + source::DEFAULT_MARGIN;
    assert!(
        since >= expected && since < expected + Duration::from_secs(10),
        "{since:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_cut_goes_on_where_it_was() {
    let log = Memory::new("revocations");
    let (_layer, sink) = fresh_pair();
    tokio::spawn(feed(&log, &sink).run());
    until_live(&sink).await;
    for round in 0..5 {
        log.set_away(true);
        until(&sink, |feed| feed.state == FeedState::Down).await;
        for i in 0..10 {
            log.publish(format!("+{round}-{i}"));
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
        log.set_away(false);
        until_live(&sink).await;
        assert_eq!(sink.status().overlay.entries, 10 * (round + 1));
    }
    let status = sink.status();
    assert_eq!(
        status.dispositions.applied, 50,
        "nothing is read twice that was settled"
    );
    assert_eq!((status.feed.gaps, status.feed.opened), (0, 6));
    assert!(status.feed.last_error.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_frozen_broker_is_noticed_and_nothing_is_lost() {
    let log = Memory::new("revocations");
    let (_layer, sink) = fresh_pair();
    tokio::spawn(feed(&log, &sink).run());
    until_live(&sink).await;
    // Idle is not silent.
    tokio::time::sleep(10 * DEFAULT_SILENCE).await;
    assert_eq!(sink.status().feed.opened, 1);
    log.set_frozen(true);
    let frozen_at = Instant::now();
    until(&sink, |feed| feed.state == FeedState::Down).await;
    assert!(
        frozen_at.elapsed() <= Duration::from_secs(5),
        "{:?}",
        frozen_at.elapsed()
    );
    assert_eq!(sink.status().feed.last_error.unwrap(), "no sign of life for 4s");
    log.publish("+meanwhile");
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(sink.status().feed.last_error.unwrap(), "cannot be opened within 10s");
    log.set_frozen(false);
    until_live(&sink).await;
    assert_eq!(sink.status().overlay.entries, 1);
}

/// A list that is fetched whenever the test says so.
#[derive(Clone)]
struct Fetches {
    asked: Arc<Semaphore>,
    answers: Arc<Semaphore>,
}

impl Fetches {
    fn new() -> Self {
        let none = || Arc::new(Semaphore::new(0));
        let (asked, answers) = (none(), none());
        Self { asked, answers }
    }

    fn resync(
        &self,
    ) -> impl Fn(EventSink) -> std::pin::Pin<Box<dyn Future<Output = Result<(), SourceError>> + Send>> + use<> {
        let this = self.clone();
        move |_sink| {
            let this = this.clone();
            Box::pin(async move {
                this.asked.add_permits(1);
                this.answers.acquire().await.unwrap().forget();
                Ok(())
            })
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_was_wiped_or_trimmed_has_a_list_fetched_before_the_first_event() {
    for is_wiped in [true, false] {
        let log = Memory::new("revocations");
        log.publish("+1");
        let (_layer, sink) = fresh_pair();
        let fetches = Fetches::new();
        tokio::spawn(
            source::drive(log.source(), plain as Plain, sink.clone())
                .with_resync(fetches.resync())
                .run(),
        );
        until_live(&sink).await;
        log.set_away(true);
        for message in ["+lost", "+2", "+3"] {
            log.publish(message);
        }
        if is_wiped {
            log.wipe();
            for message in ["+2", "+3"] {
                log.publish(message);
            }
        } else {
            log.trim(2);
        }
        log.set_away(false);
        let status = until(&sink, |feed| feed.gaps == 1).await;
        assert_eq!(status.state, FeedState::CatchingUp);
        let gap = status.last_gap.unwrap();
        let expected = if is_wiped {
            "the log was wiped"
        } else {
            "the log was trimmed"
        };
        assert_eq!((gap.reason.as_str(), gap.is_open), (expected, true));
        let concerns = sink.status().concerns;
        let told = |code| concerns.iter().find(|concern| concern.code == code).unwrap();
        assert!(told(ConcernCode::FeedGap).words.contains(expected), "{concerns:?}");
        assert!(
            told(ConcernCode::FeedCatchingUp)
                .words
                .starts_with("The feed memory:revocations has been catching up")
        );
        assert_eq!(settles(&sink).await, 1, "no event before the list");
        assert_eq!(fetches.asked.available_permits(), 1);
        fetches.answers.add_permits(1);
        let status = until_live(&sink).await;
        assert!(!status.last_gap.unwrap().is_open);
        assert_eq!(sink.status().overlay.entries, 3);
        assert_eq!(sink.status().concerns, []);
    }
}

/// It used to be forgotten with the feed, and shown as open for ever.
#[tokio::test(start_paused = true)]
async fn a_list_that_is_owed_when_a_feed_ends_is_owed_by_the_next() {
    let (_layer, sink) = fresh_pair();
    let fetches = Fetches::new();
    let drive = |log: &Memory| source::drive(log.source(), plain as Plain, sink.clone()).with_resync(fetches.resync());
    let trimmed = Memory::with_room("revocations", 1);
    trimmed.publish("+lost");
    trimmed.publish("+kept");
    let first = tokio::spawn(drive(&trimmed).run());
    until(&sink, |feed| feed.gaps == 1).await;
    first.abort();
    let _ = first.await;
    let whole = Memory::new("revocations");
    tokio::spawn(drive(&whole).run());
    let status = until(&sink, |feed| feed.opened == 2 && feed.lag == Some(0)).await;
    assert_eq!(status.state, FeedState::CatchingUp);
    fetches.answers.add_permits(1);
    let status = until_live(&sink).await;
    assert_eq!((status.gaps, status.last_gap.unwrap().is_open), (1, false));
}

#[tokio::test(start_paused = true)]
async fn the_place_in_a_log_that_was_wiped_means_nothing_in_the_next() {
    let log = Memory::new("revocations");
    let (_layer, sink) = fresh_pair();
    tokio::spawn(feed(&log, &sink).run());
    for i in 0..10 {
        log.publish(format!("+{i}"));
    }
    until_entries(&sink, 10).await;
    log.wipe();
    until(&sink, |feed| feed.gaps == 1 && feed.state == FeedState::Live).await;
    // Away again, before anything of the new log was read.
    log.set_away(true);
    until(&sink, |feed| feed.state == FeedState::Down).await;
    log.publish("+new");
    log.set_away(false);
    until_entries(&sink, 11).await;
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_was_opened_anew_is_not_live_before_it_caught_up() {
    let (_layer, sink) = fresh_pair();
    tokio::spawn(source::drive(Behind::default(), plain as Plain, sink.clone()).run());
    until_live(&sink).await;
    let down = until(&sink, |feed| feed.state == FeedState::Down).await;
    assert_eq!(down.lag, None, "what it was is not known any more");
    until(&sink, |feed| feed.opened == 2).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let status = sink.status().feed;
    assert_eq!((status.state, status.lag), (FeedState::CatchingUp, Some(7)));
}

/// The pauses used to stay at their shortest for as long as the broker was away.
/// A server that is cut off from the log's leader beats on: it used to count as live, with nothing more to come.
#[tokio::test(start_paused = true)]
async fn a_feed_is_live_only_while_it_is_known_to_be_at_its_end() {
    let (_layer, sink) = fresh_pair();
    let says = Says::default();
    tokio::spawn(source::drive(says.clone(), plain as Plain, sink.clone()).run());
    until_live(&sink).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(sink.status().feed.state, FeedState::Live);
    says.knows_the_end(false);
    let since = Instant::now();
    let feed = until(&sink, |feed| feed.state != FeedState::Live).await;
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert_eq!((feed.state, feed.opened), (FeedState::CatchingUp, 1), "it is alive");
    let words = "the end of the log is not known, or was not reached";
    assert_eq!(feed.last_error.as_deref(), Some(words));
    says.knows_the_end(true);
    let feed = until_live(&sink).await;
    assert_eq!((feed.opened, feed.gaps), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_is_behind_is_not_live() {
    let (_layer, sink) = fresh_pair();
    let says = Says::default();
    tokio::spawn(source::drive(says.clone(), plain as Plain, sink.clone()).run());
    until_live(&sink).await;
    says.is_behind(Some(Duration::from_secs(40)));
    let feed = until(&sink, |feed| feed.state != FeedState::Live).await;
    assert_eq!(
        (feed.state, feed.behind_ms, feed.opened),
        (FeedState::CatchingUp, Some(40_000), 1)
    );
    let words = "the copy of the log that is read is 40s behind, or cut off for so long";
    assert_eq!(feed.last_error.as_deref(), Some(words));
    says.is_behind(None);
    assert_eq!(until_live(&sink).await.behind_ms, None);
}

/// A row that is there before its place is final, as in a table that others write at the same time.
#[tokio::test(start_paused = true)]
async fn what_comes_again_is_in_force_at_once_and_counted_once() {
    let (layer, sink) = fresh_pair();
    let source = Early(["+agent", "nonsense", "+agent", "nonsense"].into_iter().collect());
    let reading = source::drive(source, plain as Plain, sink.clone()).with_resync(|_| async { Ok(()) });
    let letters = Arc::new(Mutex::new(0));
    let told = Arc::clone(&letters);
    tokio::spawn(reading.with_dead_letter_hook(move |_| *told.lock().unwrap() += 1).run());
    until_entries(&sink, 1).await;
    assert_eq!(status_of(&layer, "agent").await, 401);
    assert_eq!(sink.status().dispositions.applied, 0, "it comes again");
    until(&sink, |feed| feed.last_gap.is_some() && feed.unacknowledged == 0).await;
    let dispositions = sink.status().dispositions;
    assert_eq!((dispositions.applied, dispositions.dead_letter), (1, 1));
    assert_eq!(*letters.lock().unwrap(), 1);
}

/// It used to end the feed for good, and nothing said so.
#[tokio::test(start_paused = true)]
async fn a_source_that_panics_is_opened_anew_and_shows_why() {
    let (_layer, sink) = fresh_pair();
    let says = Says::default();
    tokio::spawn(source::drive(says.clone(), plain as Plain, sink.clone()).run());
    for (nth, panics_in) in ["next", "open"].into_iter().enumerate() {
        until_live(&sink).await;
        says.panics_in(panics_in);
        let words = format!("the source panicked: no provider in {panics_in}");
        let feed = until(&sink, |feed| feed.last_error.as_deref() == Some(&words)).await;
        assert_eq!(feed.state, FeedState::Down);
        says.panics_in("");
        let feed = until_live(&sink).await;
        assert!(feed.opened > nth as u64, "{feed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_decoder_and_a_hook_that_panic_cost_one_message() {
    let log = Memory::new("revocations");
    let (layer, sink) = fresh_pair();
    let decode = |message: &[u8]| match message {
        b"poison" => panic!("index out of bounds"),
        other => plain(other),
    };
    let reading = source::drive(log.source(), decode, sink.clone())
        .with_resync(|_| async { Ok(()) })
        .with_dead_letter_hook(|_| panic!("the hook"));
    tokio::spawn(reading.run());
    until_live(&sink).await;
    for message in ["poison", "+agent", "poison"] {
        log.publish(message);
    }
    until_entries(&sink, 1).await;
    let feed = until(&sink, |feed| feed.unacknowledged == 0 && feed.lag == Some(0)).await;
    assert_eq!(feed.opened, 1);
    assert_eq!(status_of(&layer, "agent").await, 401);
    let letters = log.dead_letters();
    assert_eq!(letters.len(), 2);
    assert!(
        letters[0].reason.contains("message makes the decoder panic"),
        "{}",
        letters[0].reason
    );
}

/// A list that could not be asked for any more kept its gap open for ever.
#[tokio::test(start_paused = true)]
async fn a_resync_that_panics_is_tried_again() {
    let log = Memory::new("revocations");
    log.publish("nonsense");
    let (_layer, sink) = fresh_pair();
    let tried = Arc::new(Mutex::new(0));
    let tries = Arc::clone(&tried);
    let resync = move |_| {
        let mut tries = tries.lock().unwrap();
        *tries += 1;
        let nth = *tries;
        drop(tries);
        async move {
            assert!(nth > 2, "no client yet");
            Ok(())
        }
    };
    tokio::spawn(
        source::drive(log.source(), plain as Plain, sink.clone())
            .with_resync(resync)
            .run(),
    );
    let feed = until(&sink, |feed| feed.last_gap.as_ref().is_some_and(|gap| !gap.is_open)).await;
    assert_eq!(feed.gaps, 1);
    assert_eq!(*tried.lock().unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_away_is_tried_less_and_less_often() {
    let log = Starts::default();
    let (_layer, sink) = fresh_pair();
    let away = Away(log.clone());
    tokio::spawn(source::drive(away, plain as Plain, sink.clone()).run());
    until_live(&sink).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let attempts = log.0.lock().unwrap().len();
    assert!((15..=40).contains(&attempts), "{attempts}");
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_is_away_holds_up_no_event_for_long() {
    let log = Memory::with_room("revocations", 1);
    log.publish("+old");
    log.publish("+new");
    let (_layer, sink) = fresh_pair();
    let fetches = Fetches::new();
    let started = Instant::now();
    tokio::spawn(
        source::drive(log.source(), plain as Plain, sink.clone())
            .with_resync(fetches.resync())
            .run(),
    );
    until_entries(&sink, 1).await;
    assert!(started.elapsed() >= DEFAULT_PATIENCE, "{:?}", started.elapsed());
    assert!(started.elapsed() < DEFAULT_PATIENCE + Duration::from_secs(1));
    log.publish("+newer");
    until_entries(&sink, 2).await;
    let status = sink.status().feed;
    assert_eq!(status.state, FeedState::CatchingUp, "the poller is to hurry");
    assert!(status.last_gap.unwrap().is_open);
    fetches.answers.add_permits(1);
    until_live(&sink).await;
}

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_fetched_goes_on_being_asked_for() {
    let log = Memory::with_room("revocations", 1);
    log.publish("+old");
    log.publish("+new");
    let (_layer, sink) = fresh_pair();
    let asked = Arc::new(Mutex::new(0));
    let counting = Arc::clone(&asked);
    let resync = move |_| {
        let mut asked = counting.lock().unwrap();
        *asked += 1;
        let is_there = *asked == 4;
        async move {
            if is_there {
                Ok(())
            } else {
                Err(SourceError::new("the registry is away"))
            }
        }
    };
    tokio::spawn(
        source::drive(log.source(), plain as Plain, sink.clone())
            .with_resync(resync)
            .run(),
    );
    until_live(&sink).await;
    assert_eq!(*asked.lock().unwrap(), 4);
}

#[tokio::test(start_paused = true)]
async fn poison_is_put_aside_once_and_holds_up_nobody() {
    let log = Memory::new("revocations");
    let told: Arc<Mutex<Vec<DeadLetter>>> = Arc::default();
    let replicas = [fresh_pair(), fresh_pair()];
    let fetches = Fetches::new();
    for ((_, sink), name) in replicas.iter().zip(["one", "two"]) {
        let told = Arc::clone(&told);
        let feed = source::drive(log.source(), plain as Plain, sink.clone())
            .with_replica(name)
            .with_resync(fetches.resync())
            .with_dead_letter_hook(move |letter| told.lock().unwrap().push(letter.clone()));
        tokio::spawn(feed.run());
        until_live(sink).await;
    }
    log.publish("poison");
    log.publish("+behind");
    for (_, sink) in &replicas {
        until_entries(sink, 1).await;
        let status = until(sink, |feed| feed.gaps == 1).await;
        assert_eq!(status.last_gap.unwrap().reason, "dead letter: body makes no sense");
        assert_eq!(sink.status().dispositions.dead_letter, 1);
        assert_eq!(status.opened, 1, "the feed goes on");
    }
    fetches.answers.add_permits(2);
    for (_, sink) in &replicas {
        until_live(sink).await;
    }
    let stored = log.dead_letters();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].payload, "poison");
    assert_eq!(stored[0].reason, "body makes no sense");
    assert_eq!(stored[0].key().unwrap(), "memory:revocations:0");
    let json: serde_json::Value = serde_json::from_str(&stored[0].to_json()).unwrap();
    assert_eq!(json["position"], "0");
    assert!(json.get("payload").is_none());
    assert_eq!(told.lock().unwrap().len(), 2, "each replica tells its host");
}

/// It used to be noticed when it was stored, which may be never.
#[tokio::test(start_paused = true)]
async fn poison_that_cannot_be_stored_is_a_gap_all_the_same() {
    let (_layer, sink) = fresh_pair();
    let feed = source::drive(Unstorable(0), plain as Plain, sink.clone()).with_resync(|_| async { Ok(()) });
    tokio::spawn(feed.run());
    let status = until(&sink, |feed| feed.gaps == 1).await;
    assert_eq!(status.last_gap.unwrap().reason, "dead letter: body makes no sense");
    assert_eq!(status.lag, None, "it did not say how many more there are");
    let status = until(&sink, |feed| feed.last_error.is_some()).await;
    assert_eq!(status.last_error.unwrap(), "there is no such place");
    assert_eq!(sink.status().feed.unacknowledged, 1);
}

/// Each new gap used to drop the fetch under way: whoever published nonsense often enough kept any list away.
#[tokio::test(start_paused = true)]
async fn nonsense_does_not_keep_the_list_away() {
    let log = Memory::new("revocations");
    let (_layer, sink) = fresh_pair();
    let fetched = Arc::new(Mutex::new(0));
    let counting = Arc::clone(&fetched);
    let slowly = move |_| {
        let fetched = Arc::clone(&counting);
        async move {
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            *fetched.lock().unwrap() += 1;
            Ok(())
        }
    };
    tokio::spawn(
        source::drive(log.source(), plain as Plain, sink.clone())
            .with_resync(slowly)
            .run(),
    );
    until_live(&sink).await;
    for _ in 0..10 {
        log.publish("poison");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(*fetched.lock().unwrap() >= 5, "{fetched:?}");
    until_live(&sink).await;
}

/// It used to wait for the feed.
#[tokio::test(start_paused = true)]
async fn the_list_is_asked_for_while_the_feed_is_away() {
    let log = Memory::new("revocations");
    let (_layer, sink) = fresh_pair();
    let fetches = Fetches::new();
    tokio::spawn(
        source::drive(log.source(), plain as Plain, sink.clone())
            .with_resync(fetches.resync())
            .run(),
    );
    until_live(&sink).await;
    log.publish("poison");
    until(&sink, |feed| feed.gaps == 1).await;
    log.set_away(true);
    until(&sink, |feed| feed.state == FeedState::Down).await;
    fetches.answers.add_permits(1);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(fetches.answers.available_permits(), 0, "it was taken");
    log.set_away(false);
    until_live(&sink).await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_need_not_count_as_a_gap() {
    let log = Memory::new("revocations");
    let (_layer, sink) = fresh_pair();
    let feed = source::drive(log.source(), plain as Plain, sink.clone())
        .with_resync(|_| async { panic!("nobody wants a list") })
        .with_dead_letters(DeadLetterPolicy::Note);
    tokio::spawn(feed.run());
    log.publish("poison");
    log.publish("+behind");
    until_entries(&sink, 1).await;
    assert_eq!(
        (sink.status().dispositions.dead_letter, until_live(&sink).await.gaps),
        (1, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn what_finds_no_room_is_tried_again_and_holds_up_nobody() {
    let log = Memory::new("revocations");
    let (_layer, sink) = fresh_pair();
    sink.configure(|config| config.with_capacity(NonZeroUsize::new(1).unwrap()));
    tokio::spawn(feed(&log, &sink).run());
    log.publish("+first");
    log.publish("+no room");
    log.publish("+first");
    until(&sink, |_| sink.status().dispositions.applied == 2).await;
    until(&sink, |feed| feed.unacknowledged == 1).await;
    sink.configure(|config| config.with_capacity(NonZeroUsize::new(2).unwrap()));
    until_entries(&sink, 2).await;
    let feed = until(&sink, |feed| feed.unacknowledged == 0).await;
    assert_eq!((feed.gaps, log.dead_letters().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_was_tried_often_enough_is_put_aside() {
    let log = Memory::new("revocations");
    let (_layer, sink) = fresh_pair();
    sink.configure(|config| config.with_capacity(NonZeroUsize::new(1).unwrap()));
    tokio::spawn(feed(&log, &sink).with_attempts(NonZeroU32::new(3).unwrap()).run());
    log.publish("+first");
    log.publish("+no room");
    until(&sink, |feed| feed.gaps == 1).await;
    let letters = log.dead_letters();
    assert_eq!((letters.len(), letters[0].attempts), (1, 3));
    let reason = "given up after 3 attempts: overlay is at capacity: no room for 1 events";
    assert_eq!(letters[0].reason, reason);
    assert_eq!(sink.status().dispositions.retry, 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_settled_comes_again_after_a_cut() {
    let log = Memory::new("revocations");
    let (_layer, sink) = fresh_pair();
    sink.configure(|config| config.with_capacity(NonZeroUsize::new(1).unwrap()));
    tokio::spawn(feed(&log, &sink).run());
    for message in ["+first", "+no room", "+first"] {
        log.publish(message);
    }
    until(&sink, |_| sink.status().dispositions.applied == 2).await;
    log.set_away(true);
    until(&sink, |feed| feed.state == FeedState::Down).await;
    sink.configure(|config| config.with_capacity(NonZeroUsize::new(2).unwrap()));
    assert_eq!(settles(&sink).await, 1, "it was let go of");
    log.set_away(false);
    until_entries(&sink, 2).await;
    until(&sink, |_| sink.status().dispositions.applied == 4).await;
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_falls_silent_is_noticed_though_the_broker_is_well() {
    let log = Memory::new("revocations");
    let (_layer, sink) = fresh_pair();
    tokio::spawn(feed(&log, &sink).with_heartbeat(Duration::from_secs(10)).run());
    until(&sink, |feed| {
        feed.state == FeedState::Down && feed.last_heartbeat_ms_ago.is_none()
    })
    .await;
    log.publish("!0");
    until_live(&sink).await;
    tokio::time::sleep(Duration::from_secs(11)).await;
    let status = until(&sink, |feed| feed.state == FeedState::Down).await;
    assert!(status.last_heartbeat_ms_ago.unwrap() > 10_000);
    assert!(status.last_signal_ms_ago.unwrap() < 2_000);
    // One that was sent long ago proves nothing about now.
    log.publish("!60");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(sink.status().feed.state, FeedState::Down);
    log.publish("!1");
    until_live(&sink).await;
    assert_eq!(sink.status().feed.opened, 1, "there is nothing to open anew");
}

#[tokio::test(start_paused = true)]
async fn the_feed_is_down_when_nobody_reads_it_any_more() {
    let log = Memory::new("revocations");
    let (_layer, sink) = fresh_pair();
    let reading = tokio::spawn(feed(&log, &sink).run());
    until_live(&sink).await;
    reading.abort();
    until(&sink, |feed| feed.state == FeedState::Down).await;

    let (end, told_to_end) = oneshot::channel::<()>();
    let reading = tokio::spawn(feed(&log, &sink).run_until(async { drop(told_to_end.await) }));
    until_live(&sink).await;
    end.send(()).unwrap();
    reading.await.unwrap();
    assert_eq!(sink.status().feed.state, FeedState::Down);
}

/// A log that loses something once, a second after it is caught up, and has nothing to say of that when it is opened anew.
struct Lossy {
    log: MemorySource,
    starts: Arc<Mutex<Vec<Start>>>,
    loses_at: Option<Instant>,
}

impl EventSource for Lossy {
    type Delivery = LogDelivery;

    fn name(&self) -> &str {
        self.log.name()
    }

    async fn open(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        self.starts.lock().unwrap().push(start.clone());
        self.log.open(start).await
    }

    async fn next(&mut self) -> Result<Signal<LogDelivery>, SourceError> {
        let Some(loses_at) = self.loses_at else {
            return self.log.next().await;
        };
        tokio::select! {
            signal = self.log.next() => signal,
            () = tokio::time::sleep_until(loses_at) => {
                self.loses_at = None;
                Err(SourceError::new("cannot go on").because("messages 2 to 3 are gone").as_loss())
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_loss_that_is_noticed_while_reading_is_a_gap_though_the_next_opening_finds_none() {
    let log = Memory::new("revocations");
    let (_layer, sink) = fresh_pair();
    let starts = Arc::<Mutex<Vec<Start>>>::default();
    let lossy = Lossy {
        log: log.source(),
        starts: Arc::clone(&starts),
        loses_at: Some(Instant::now() + Duration::from_secs(1)),
    };
    let feed = source::drive(lossy, plain as Plain, sink.clone()).with_resync(|_| async { Ok(()) });
    tokio::spawn(feed.run());
    log.publish("+read");
    until_entries(&sink, 1).await;
    let status = until(&sink, |feed| feed.opened == 2 && feed.state == FeedState::Live).await;
    assert_eq!(status.gaps, 1);
    assert_eq!(
        status.last_gap.unwrap().reason,
        "cannot go on: messages 2 to 3 are gone"
    );
    assert!(starts.lock().unwrap()[1].is_first(), "read again by time");
    // Once is enough: from here on it goes on after what it read.
    log.cut();
    until(&sink, |feed| feed.opened == 3 && feed.state == FeedState::Live).await;
    let last = starts.lock().unwrap()[2].clone();
    assert_eq!((last.after(0), last.landmarks(0).count()), (Some(0), 1));
    assert_eq!(sink.status().feed.gaps, 1);
}

/// A source that only remembers from where it was opened.
#[derive(Clone, Default)]
struct Starts(Arc<Mutex<Vec<Start>>>, Arc<Mutex<bool>>);

impl EventSource for Starts {
    type Delivery = Slow;

    fn name(&self) -> &str {
        "starts"
    }

    async fn open(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        self.0.lock().unwrap().push(start.clone());
        Ok(Continuity::Complete)
    }

    async fn next(&mut self) -> Result<Signal<Slow>, SourceError> {
        pending().await
    }
}

/// A source that is caught up once, and then cannot be opened any more.
struct Away(Starts);

impl EventSource for Away {
    type Delivery = Slow;

    fn name(&self) -> &str {
        "away"
    }

    async fn open(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        self.0.open(start).await?;
        match self.0.0.lock().unwrap().len() {
            1 => Ok(Continuity::Complete),
            _ => Err(SourceError::new("away")),
        }
    }

    async fn next(&mut self) -> Result<Signal<Slow>, SourceError> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let is_said = std::mem::replace(&mut *self.0.1.lock().unwrap(), true);
        if is_said {
            return Err(SourceError::new("disconnected"));
        }
        Ok(Signal::CaughtUp)
    }
}

/// A source that is caught up once, breaks, and never catches up again, though it is alive.
#[derive(Default)]
struct Behind {
    said: u32,
}

impl EventSource for Behind {
    type Delivery = Slow;

    fn name(&self) -> &str {
        "behind"
    }

    async fn open(&mut self, _start: &Start) -> Result<Continuity, SourceError> {
        Ok(Continuity::Complete)
    }

    async fn next(&mut self) -> Result<Signal<Slow>, SourceError> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.said += 1;
        match self.said {
            1 => Ok(Signal::CaughtUp),
            2 => Err(SourceError::new("disconnected")),
            _ => Ok(Signal::Alive { lag: Some(7) }),
        }
    }
}

/// A source that says something every second: that it is at its end if it knows that, or else that it is alive.
#[derive(Clone, Default)]
struct Says(Arc<Mutex<Saying>>);

#[derive(Default)]
struct Saying {
    does_not_know: bool,
    behind: Option<Duration>,
    panics_in: &'static str,
}

impl Says {
    fn knows_the_end(&self, knows: bool) {
        self.0.lock().unwrap().does_not_know = !knows;
    }

    fn is_behind(&self, by: Option<Duration>) {
        self.0.lock().unwrap().behind = by;
    }

    fn panics_in(&self, call: &'static str) {
        self.0.lock().unwrap().panics_in = call;
    }

    fn may_panic(&self, call: &'static str) {
        let panics_in = self.0.lock().unwrap().panics_in;
        assert!(panics_in != call, "no provider in {call}");
    }
}

impl EventSource for Says {
    type Delivery = LogDelivery;

    fn name(&self) -> &str {
        "says"
    }

    async fn open(&mut self, _start: &Start) -> Result<Continuity, SourceError> {
        self.may_panic("open");
        Ok(Continuity::Complete)
    }

    async fn next(&mut self) -> Result<Signal<LogDelivery>, SourceError> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.may_panic("next");
        if self.0.lock().unwrap().panics_in == "open" {
            return Err(SourceError::new("disconnected"));
        }
        let saying = self.0.lock().unwrap();
        Ok(match (saying.behind, saying.does_not_know) {
            (Some(by), _) => Signal::Behind(by),
            (None, true) => Signal::Alive { lag: Some(0) },
            (None, false) => Signal::CaughtUp,
        })
    }
}

/// A source of some messages, one a second, of which the first two come again.
struct Early(VecDeque<&'static str>);

struct EarlyMessage(&'static str, bool);

impl EventSource for Early {
    type Delivery = EarlyMessage;

    fn name(&self) -> &str {
        "early"
    }

    async fn open(&mut self, _start: &Start) -> Result<Continuity, SourceError> {
        Ok(Continuity::Complete)
    }

    async fn next(&mut self) -> Result<Signal<EarlyMessage>, SourceError> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let comes_again = self.0.len() > 2;
        Ok(match self.0.pop_front() {
            Some(message) => Signal::Message(EarlyMessage(message, comes_again)),
            None => Signal::CaughtUp,
        })
    }
}

impl Delivery for EarlyMessage {
    fn payload(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn position(&self) -> Option<Position> {
        (!self.1).then(|| Position::at(self.0.len() as u128))
    }

    fn comes_again(&self) -> bool {
        self.1
    }

    async fn ack(&mut self) -> Result<(), SourceError> {
        assert!(!self.1, "it comes again");
        Ok(())
    }

    async fn dead_letter(&mut self, _letter: &DeadLetter) -> Result<(), SourceError> {
        assert!(!self.1, "it comes again");
        Ok(())
    }
}

/// A source of one message that cannot be read, nor stored, after all others were.
struct Unstorable(u8);

impl EventSource for Unstorable {
    type Delivery = Poison;

    fn name(&self) -> &str {
        "unstorable"
    }

    async fn open(&mut self, _start: &Start) -> Result<Continuity, SourceError> {
        Ok(Continuity::Complete)
    }

    async fn next(&mut self) -> Result<Signal<Poison>, SourceError> {
        self.0 = self.0.saturating_add(1);
        match self.0 {
            1 => Ok(Signal::CaughtUp),
            2 => Ok(Signal::Message(Poison)),
            _ => {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok(Signal::Alive { lag: None })
            }
        }
    }
}

struct Poison;

impl Delivery for Poison {
    fn payload(&self) -> &[u8] {
        b"poison"
    }

    fn position(&self) -> Option<Position> {
        None
    }

    async fn ack(&mut self) -> Result<(), SourceError> {
        Ok(())
    }

    async fn retry(&mut self, _after: Duration) -> Result<Retry, SourceError> {
        Ok(Retry::InPlace)
    }

    async fn dead_letter(&mut self, _letter: &DeadLetter) -> Result<(), SourceError> {
        Err(SourceError::new("there is no such place"))
    }
}

/// A source of one message, whose acknowledgement takes its time.
struct One {
    message: Option<Slow>,
    is_closed: Arc<Mutex<bool>>,
}

struct Slow {
    is_acknowledged: Arc<Mutex<bool>>,
}

impl EventSource for One {
    type Delivery = Slow;

    fn name(&self) -> &str {
        "one"
    }

    async fn open(&mut self, _start: &Start) -> Result<Continuity, SourceError> {
        Ok(Continuity::Complete)
    }

    async fn next(&mut self) -> Result<Signal<Slow>, SourceError> {
        match self.message.take() {
            Some(message) => Ok(Signal::Message(message)),
            None => pending().await,
        }
    }

    async fn close(&mut self) {
        *self.is_closed.lock().unwrap() = true;
    }
}

impl Delivery for Slow {
    fn payload(&self) -> &[u8] {
        b"+alice"
    }

    fn position(&self) -> Option<Position> {
        None
    }

    async fn ack(&mut self) -> Result<(), SourceError> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        *self.is_acknowledged.lock().unwrap() = true;
        Ok(())
    }

    async fn retry(&mut self, _after: Duration) -> Result<Retry, SourceError> {
        Ok(Retry::ByBroker)
    }

    async fn dead_letter(&mut self, _letter: &DeadLetter) -> Result<(), SourceError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn told_to_end_it_settles_what_it_took_in_and_lets_go() {
    let (_layer, sink) = fresh_pair();
    let (is_acknowledged, is_closed) = (Arc::default(), Arc::default());
    let one = One {
        message: Some(Slow {
            is_acknowledged: Arc::clone(&is_acknowledged),
        }),
        is_closed: Arc::clone(&is_closed),
    };
    let (end, told_to_end) = oneshot::channel::<()>();
    let feed = source::drive(one, plain as Plain, sink.clone());
    let reading = tokio::spawn(feed.run_until(async { drop(told_to_end.await) }));
    until_entries(&sink, 1).await;
    assert!(!*is_acknowledged.lock().unwrap());
    end.send(()).unwrap();
    reading.await.unwrap();
    assert!(*is_acknowledged.lock().unwrap());
    assert!(*is_closed.lock().unwrap());
}
