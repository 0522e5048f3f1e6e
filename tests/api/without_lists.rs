//! Where events alone decide, and there is no list.

use std::time::Duration;

use http::Request;
use tokio::time::sleep;
use tower::ServiceExt;
use tower_revocation::probe::Readyz;
use tower_revocation::source::{self, Memory};
use tower_revocation::status::{FeedState, FeedStatus};
use tower_revocation::{
    ConcernCode, DecodeError, Decoded, DomainConfig, EventSink, Freshness, Key, ListPolicy, Revocation,
    RevocationLayer, RevocationList, StalePolicy, Timestamp, Unknown, Verdict,
};

use crate::support::{ByHeader, by_header, status_of, words};

fn pair(configure: impl FnOnce(DomainConfig) -> DomainConfig) -> (RevocationLayer<ByHeader>, EventSink) {
    let config = configure(DomainConfig::new().with_lists(ListPolicy::NotUsed));
    RevocationLayer::pair_with(config, by_header as ByHeader)
}

/// `+id` blocks.
fn plain(message: &[u8]) -> Result<Decoded, DecodeError> {
    let id = std::str::from_utf8(&message[1..]).map_err(|_| DecodeError::new("body", "is not text"))?;
    Ok(Decoded::from(Revocation::block(Key::subject(id))))
}

fn read(log: &Memory, sink: &EventSink) -> tokio::task::JoinHandle<()> {
    let decode: fn(&[u8]) -> _ = plain;
    tokio::spawn(source::drive(log.source(), decode, sink.clone()).run())
}

async fn until(sink: &EventSink, is_so: impl Fn(&FeedStatus) -> bool) -> FeedStatus {
    let started = tokio::time::Instant::now();
    loop {
        let status = sink.status().feed;
        if is_so(&status) {
            return status;
        }
        assert!(started.elapsed() < Duration::from_secs(3600), "{status:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

async fn readyz(sink: &EventSink) -> (u16, String) {
    let response = Readyz::new(sink.clone())
        .oneshot(Request::new(String::new()))
        .await
        .unwrap();
    (response.status().as_u16(), response.into_body())
}

/// Such a replica used to be ready, and to admit everybody who was revoked.
#[tokio::test(start_paused = true)]
async fn a_replica_that_starts_while_the_broker_is_away_admits_nobody_until_it_is_back() {
    let log = Memory::new("revocations");
    log.publish("+mallory");
    log.set_away(true);
    let (layer, sink) = pair(|config| config);
    read(&log, &sink);
    // From the moment on at which there is something to read, not only once it is tried.
    assert_eq!(status_of(&layer, "alice").await, 503);
    until(&sink, |feed| feed.state == FeedState::Down).await;
    sleep(Duration::from_secs(600)).await;
    for subject in ["alice", "mallory"] {
        assert_eq!(status_of(&layer, subject).await, 503, "{subject}");
    }
    assert_eq!(
        sink.decide(&Key::subject("alice").into()),
        Verdict::Unknown(Unknown::FeedUnread)
    );
    let status = sink.status();
    assert_eq!((status.ready, status.freshness), (false, Freshness::FeedUnread));
    let (code, text) = readyz(&sink).await;
    assert_eq!(code, 503);
    let expected = "not ready\n- feed-unread: There is no list, and the feed has not been read up to its end since the start. Until it \
                    is, credentials that nothing is known against are refused with 503.\nalso\n- feed-down: ";
    assert!(text.starts_with(expected), "{text}");
    // What came in some other way is in force.
    sink.apply(Revocation::block(Key::subject("eve")))
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(status_of(&layer, "eve").await, 401);

    log.set_away(false);
    until(&sink, |feed| feed.state == FeedState::Live).await;
    assert_eq!(status_of(&layer, "alice").await, 200);
    assert_eq!(status_of(&layer, "mallory").await, 401);
    assert_eq!(readyz(&sink).await.0, 200);
    assert!(sink.status().concerns.is_empty());

    // What was read once is known, also while the broker is away again.
    log.set_away(true);
    until(&sink, |feed| feed.state == FeedState::Down).await;
    assert_eq!(status_of(&layer, "alice").await, 200);
    let said = words(&sink, ConcernCode::FeedDown).unwrap();
    assert!(
        said.contains(". No revocation comes in until it is back: there is no list."),
        "{said}"
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_fails_open_admits_and_says_so() {
    let log = Memory::new("revocations");
    log.set_away(true);
    let (layer, sink) = pair(|config| config.with_stale_policy(StalePolicy::FailOpen));
    read(&log, &sink);
    until(&sink, |feed| feed.state == FeedState::Down).await;
    assert_eq!(status_of(&layer, "alice").await, 200);
    assert_eq!(sink.status().verdicts.unknown, 1);
    let (code, text) = readyz(&sink).await;
    assert_eq!(code, 200);
    assert!(text.starts_with("ready\nalso\n- feed-unread: "), "{text}");
    assert!(
        text.contains("credentials are admitted although an event may have revoked them."),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_feed_counts_as_soon_as_it_is_made_or_spoken_of() {
    let log = Memory::new("revocations");
    let (layer, sink) = pair(|config| config);
    assert_eq!(status_of(&layer, "alice").await, 200, "events come in some other way");
    let decode: fn(&[u8]) -> _ = plain;
    let drive = source::drive(log.source(), decode, sink.clone());
    assert_eq!(status_of(&layer, "alice").await, 503);
    drop(drive);
    let (layer, sink) = pair(|config| config);
    sink.set_feed(FeedState::Connecting);
    assert_eq!(status_of(&layer, "alice").await, 503);
    sink.set_feed(FeedState::CatchingUp);
    assert_eq!(status_of(&layer, "alice").await, 503);
    sink.set_feed(FeedState::Live);
    assert_eq!(status_of(&layer, "alice").await, 200);
    sink.set_feed(FeedState::Connecting);
    assert_eq!(status_of(&layer, "alice").await, 200, "it was read once");
    let said = words(&sink, ConcernCode::FeedConnecting).unwrap();
    assert!(said.ends_with(". No revocation comes in: there is no list."), "{said}");
    // With lists, the list decides, as ever.
    let (layer, sink) = RevocationLayer::pair(by_header as ByHeader);
    sink.set_feed(FeedState::Down);
    sink.install(RevocationList::builder(Timestamp::now()).build()).unwrap();
    assert_eq!(status_of(&layer, "alice").await, 200);
}

/// A log that had been trimmed used to have a gap at each start, for ever.
#[tokio::test(start_paused = true)]
async fn a_log_has_to_reach_back_as_far_as_revocations_are_kept_and_no_farther() {
    let retention = Duration::from_millis(20);
    for (is_trimmed_lately, expected) in [(false, 0), (true, 1)] {
        let log = Memory::with_room("revocations", 1);
        log.publish("+long ago");
        log.publish("+kept");
        let published = Timestamp::now();
        if !is_trimmed_lately {
            // Its times are those of the system's clock, which no test pauses.
            while Timestamp::now().saturating_since(published) <= 2 * retention {
                std::thread::yield_now();
            }
        }
        let kept_for = if is_trimmed_lately {
            Duration::from_secs(3600)
        } else {
            retention
        };
        let (_layer, sink) = pair(|config| config.with_retention(kept_for));
        let decode: fn(&[u8]) -> _ = plain;
        let drive = source::drive(log.source(), decode, sink.clone()).with_margin(Duration::ZERO);
        tokio::spawn(drive.run());
        let status = until(&sink, |feed| feed.state == FeedState::Live).await;
        assert_eq!(status.gaps, expected, "{status:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_told_of_as_long_as_what_was_missed_matters() {
    let log = Memory::with_room("revocations", 1);
    log.publish("+lost");
    log.publish("+kept");
    let (_layer, sink) = pair(|config| config.with_retention(Duration::from_secs(1000)));
    read(&log, &sink);
    until(&sink, |feed| feed.state == FeedState::Live).await;
    let said = words(&sink, ConcernCode::FeedGap).unwrap();
    assert!(
        said.contains(
            "There is no list that would make up for them: whom they revoked is admitted until the tokens expire."
        ),
        "{said}"
    );
    sleep(Duration::from_secs(990)).await;
    assert!(words(&sink, ConcernCode::FeedGap).is_some());
    sleep(Duration::from_secs(20)).await;
    assert_eq!(words(&sink, ConcernCode::FeedGap), None);
    let status = sink.status().feed;
    assert_eq!((status.gaps, status.last_gap.unwrap().is_open), (1, false));
}

/// "Which is fetched more often meanwhile" was not true where nobody fetched anything.
#[tokio::test(start_paused = true)]
async fn a_host_that_installs_lists_by_itself_is_told_what_is_true() {
    let (_layer, sink) = RevocationLayer::pair(by_header as ByHeader);
    sink.set_feed(FeedState::Down);
    let said = words(&sink, ConcernCode::FeedDown).unwrap();
    let expected = "Revocations come with the list alone, and no poller of this process fetches it.";
    assert!(said.ends_with(expected), "{said}");
}
