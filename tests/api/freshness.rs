//! Stale is a decision, not an accident (invariant 9).

use std::time::Duration;

use tower_revocation::{DEFAULT_MAX_AGE, Freshness, Key, ListPolicy, Revocation, RevocationLayer, StalePolicy};

use crate::support::{Log, by_header, fresh_pair, list_of_now, presenting, send, status_of};

#[tokio::test(start_paused = true)]
async fn refuses_with_retry_after_before_the_first_list() {
    let (layer, sink) = RevocationLayer::pair(by_header);
    let response = send(&layer, presenting("alice")).await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "10");
    assert!(!sink.is_ready());
    sink.install(list_of_now()).unwrap();
    assert!(sink.is_ready());
    assert_eq!(status_of(&layer, "alice").await, 200);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_refused_before_max_age_and_everybody_after_but_by_policy() {
    let (layer, sink) = fresh_pair();
    sink.apply(Revocation::block(Key::subject("mallory")))
        .unwrap()
        .wait()
        .unwrap();
    tokio::time::advance(DEFAULT_MAX_AGE).await;
    assert_eq!(status_of(&layer, "alice").await, 200);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(status_of(&layer, "alice").await, 503);
    assert_eq!(
        status_of(&layer, "mallory").await,
        401,
        "known revocations stay refused"
    );
    assert_eq!(sink.status().freshness, Freshness::Stale);

    sink.configure(|config| config.with_stale_policy(StalePolicy::FailOpen));
    assert_eq!(status_of(&layer, "alice").await, 200);
    assert_eq!(
        status_of(&layer, "mallory").await,
        401,
        "known revocations stay refused"
    );
    assert!(sink.is_ready());
    assert_eq!(sink.status().verdicts.unknown, 2);
}

#[tokio::test(start_paused = true)]
async fn failing_open_is_loud_once_per_transition() {
    let (log, _guard) = Log::collect();
    let (layer, sink) = fresh_pair();
    sink.configure(|config| config.with_stale_policy(StalePolicy::FailOpen));
    log.lines();
    assert_eq!(status_of(&layer, "alice").await, 200);
    assert_eq!(log.lines(), Vec::<String>::new());
    tokio::time::advance(DEFAULT_MAX_AGE * 2).await;
    for _ in 0..3 {
        assert_eq!(status_of(&layer, "alice").await, 200);
    }
    let lines = log.lines();
    assert!(
        matches!(&lines[..], [line] if line.contains("WARN") && line.contains("admitting credentials that may be revoked")),
        "{lines:?}"
    );
    sink.confirm().unwrap();
    assert_eq!(status_of(&layer, "alice").await, 200);
    let lines = log.lines();
    assert!(
        matches!(&lines[..], [line] if line.contains("INFO") && line.contains("fresh again")),
        "{lines:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_confirmed_list_is_fresh_again() {
    let (layer, sink) = fresh_pair();
    tokio::time::advance(DEFAULT_MAX_AGE * 2).await;
    assert_eq!(status_of(&layer, "alice").await, 503);
    sink.confirm().unwrap();
    assert_eq!(status_of(&layer, "alice").await, 200);
    assert_eq!(sink.status().snapshot.unwrap().age_ms, 0);
}

#[tokio::test(start_paused = true)]
async fn a_domain_without_lists_is_never_stale() {
    let (layer, sink) = RevocationLayer::pair(by_header);
    sink.configure(|config| config.with_lists(ListPolicy::NotUsed));
    tokio::time::advance(DEFAULT_MAX_AGE * 2).await;
    assert_eq!(status_of(&layer, "alice").await, 200);
    sink.apply(Revocation::block(Key::subject("alice")))
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(status_of(&layer, "alice").await, 401);
}

#[tokio::test(start_paused = true)]
async fn max_age_reaches_clones_made_before() {
    let (layer, sink) = fresh_pair();
    let early = layer.clone();
    sink.configure(|config| config.with_max_age(Duration::from_secs(1)));
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(status_of(&early, "alice").await, 503);
}
