//! The canary: a proof, over the real path, that what the issuer revokes is refused here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use tower::ServiceExt;
use tower_revocation::format::{Canaries, canary};
use tower_revocation::probe::{Need, Readyz};
use tower_revocation::source::{self, Memory};
use tower_revocation::{
    Applied, Canary, ConcernCode, Credential, DecodeError, Decoded, EventSink, Freshness, Key, Reinstatement,
    Revocation, RevocationList, Timestamp, Verdict, canary as the_canary,
};

use crate::support::{fresh_pair, until};

const EVERY: Duration = Duration::from_secs(10);
const WITHIN: Duration = Duration::from_secs(2);

async fn readyz(sink: &EventSink) -> (u16, String) {
    let readyz = Readyz::new(sink.clone()).with_need(Need::Canary);
    let response = readyz.oneshot(Request::new(String::new())).await.unwrap();
    (response.status().as_u16(), response.into_body())
}

fn is_overdue(sink: &EventSink) -> bool {
    sink.status().canary.unwrap().is_overdue
}

/// What it is for: this consumer is connected, acknowledges everything, and drops it in silence.
#[tokio::test(start_paused = true)]
async fn a_consumer_that_drops_events_in_silence_is_caught_and_heals() {
    let (_layer, sink) = fresh_pair();
    sink.configure(|config| config.with_canary(Canary::every(EVERY).within(WITHIN)));
    let is_broken = Arc::new(AtomicBool::new(false));
    let decode = {
        let is_broken = Arc::clone(&is_broken);
        let real = Canaries::beside(|_: &[u8]| Ok::<_, DecodeError>(Decoded::Ignored("not ours".into())));
        move |message: &[u8]| match is_broken.load(Ordering::Relaxed) {
            true => Ok(Decoded::Ignored("a typo in somebody's filter".into())),
            false => tower_revocation::Decode::decode(&real, message),
        }
    };
    let log = Memory::new("revocations");
    let feed = source::drive(log.source(), decode, sink.clone()).with_resync(|_| async { Ok(()) });
    tokio::spawn(feed.run());
    assert!(is_overdue(&sink), "none has come");
    let expected = sink.status().canary.unwrap();
    assert_eq!((expected.every_ms, expected.within_ms), (10_000, 2_000));

    log.publish(Bytes::from(canary(Timestamp::now())));
    until("a proof", || !is_overdue(&sink)).await;
    assert_eq!(readyz(&sink).await.0, 200);

    is_broken.store(true, Ordering::Relaxed);
    tokio::time::advance(EVERY).await;
    log.publish(Bytes::from(canary(Timestamp::now().saturating_add(EVERY))));
    until("it is dropped", || sink.status().dispositions.ignored == 1).await;
    tokio::time::advance(WITHIN + Duration::from_millis(1)).await;
    // Everything else looks well.
    let status = sink.status();
    assert!(status.ready && status.freshness == Freshness::Fresh, "{status:?}");
    let codes: Vec<_> = status.concerns.iter().map(|concern| concern.code).collect();
    assert_eq!(codes, [ConcernCode::CanaryOverdue]);
    assert_eq!(status.feed.state, tower_revocation::FeedState::Live);
    let (code, text) = readyz(&sink).await;
    assert_eq!(code, 503);
    assert!(
        text.starts_with("not ready\n- canary-overdue: The last canary that is refused here was revoked 12 s ago"),
        "{text}"
    );

    is_broken.store(false, Ordering::Relaxed);
    log.publish(Bytes::from(canary(Timestamp::now().saturating_add(2 * EVERY))));
    until("a proof", || !is_overdue(&sink)).await;
    assert_eq!(readyz(&sink).await.0, 200);
}

/// In force is what counts, by the decision that requests get: not that something came in.
#[tokio::test(start_paused = true)]
async fn a_canary_that_is_not_refused_proves_nothing() {
    let (_layer, sink) = fresh_pair();
    sink.configure(|config| config.with_capacity(std::num::NonZeroUsize::MIN));
    sink.configure(|config| config.with_canary(Canary::every(EVERY)));
    sink.apply(Revocation::block(Key::subject("the last that finds room")))
        .unwrap()
        .wait()
        .unwrap();
    assert!(
        sink.apply(the_canary::revocation(Timestamp::now()))
            .and_then(Applied::wait)
            .is_err()
    );
    assert!(is_overdue(&sink));
    assert_eq!(sink.status().canary.unwrap().last_proof_ms_ago, None);
}

#[tokio::test(start_paused = true)]
async fn nor_does_one_that_is_refused_no_more() {
    let (_layer, sink) = fresh_pair();
    let day = Duration::from_secs(24 * 60 * 60);
    sink.configure(|config| {
        config
            .with_retention(Duration::from_secs(1))
            .with_leeway(Duration::ZERO)
    });
    sink.configure(|config| config.with_canary(Canary::every(day)));
    sink.apply(the_canary::revocation(Timestamp::now()))
        .unwrap()
        .wait()
        .unwrap();
    assert!(!is_overdue(&sink));
    // Whatever comes now has expired entries looked for.
    tokio::time::advance(Duration::from_secs(601)).await;
    sink.apply(Revocation::block(Key::subject("alice")))
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(sink.status().overlay.entries, 1);
    assert!(is_overdue(&sink));
}

#[tokio::test(start_paused = true)]
async fn it_holds_one_key_however_often_it_is_revoked() {
    let (_layer, sink) = fresh_pair();
    sink.configure(|config| config.with_canary(Canary::every(EVERY)));
    let start = Timestamp::now();
    for turn in 0..1_000 {
        sink.apply(the_canary::revocation(start.saturating_add(turn * EVERY)))
            .unwrap()
            .wait()
            .unwrap();
        assert!(!is_overdue(&sink));
        tokio::time::advance(EVERY).await;
    }
    assert_eq!(sink.status().overlay.entries, 1);
}

#[tokio::test(start_paused = true)]
async fn a_late_or_repeated_one_does_not_look_new() {
    let (_layer, sink) = fresh_pair();
    sink.configure(|config| config.with_canary(Canary::every(EVERY).within(WITHIN)));
    let sent = Timestamp::now().saturating_sub(EVERY);
    sink.apply(the_canary::revocation(sent)).unwrap().wait().unwrap();
    let age = || sink.status().canary.unwrap().last_proof_ms_ago.unwrap();
    // By real time a little may have passed.
    assert!((10_000..11_000).contains(&age()), "{}", age());
    tokio::time::advance(WITHIN + Duration::from_millis(1)).await;
    sink.apply(the_canary::revocation(sent.saturating_sub(EVERY)))
        .unwrap()
        .wait()
        .unwrap();
    sink.apply(the_canary::revocation(sent)).unwrap().wait().unwrap();
    assert!(is_overdue(&sink), "{}", age());
}

/// A mass revocation must not take the replicas out of service that enforce it.
#[tokio::test(start_paused = true)]
async fn it_goes_on_proving_while_everything_is_revoked() {
    let (_layer, sink) = fresh_pair();
    sink.configure(|config| config.with_canary(Canary::every(EVERY)));
    let long_ago = Timestamp::from_unix_secs(1);
    sink.apply(Revocation::block(Key::everything()).at(long_ago))
        .unwrap()
        .wait()
        .unwrap();
    assert!(is_overdue(&sink), "that everybody is refused proves no canary");
    sink.apply(the_canary::revocation(Timestamp::now()))
        .unwrap()
        .wait()
        .unwrap();
    assert!(!is_overdue(&sink));
    // Nor does a list that says nothing of it take it back, nor the end of all that.
    sink.install(RevocationList::builder(Timestamp::now()).build()).unwrap();
    assert!(!is_overdue(&sink));
    sink.apply(Reinstatement::of(Key::everything(), Timestamp::now()))
        .unwrap()
        .wait()
        .unwrap();
    let alice = Credential::from(Key::subject("alice")).with_issued_at(Timestamp::now());
    assert_eq!(sink.decide(&alice), Verdict::Admit);
    assert!(!is_overdue(&sink));
}

#[tokio::test]
async fn where_none_is_expected_there_is_none_and_a_need_for_one_is_never_met() {
    let (_layer, sink) = fresh_pair();
    sink.apply(the_canary::revocation(Timestamp::now()))
        .unwrap()
        .wait()
        .unwrap();
    assert!(sink.status().canary.is_none());
    let (code, text) = readyz(&sink).await;
    assert_eq!(code, 503);
    assert!(text.contains("\n- canary: No canary is expected"), "{text}");
}
