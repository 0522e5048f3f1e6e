//! Probes, and what is amiss in words.

use std::num::NonZeroUsize;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Method, Request};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_revocation::probe::{Healthz, Need, Readyz};
use tower_revocation::{
    ConcernCode, DEFAULT_MAX_AGE, EventSink, FeedState, Key, ListPolicy, Revocation, RevocationLayer, StalePolicy,
};

use crate::support::{by_header, fresh_pair, list_of_now};

async fn ask(method: Method, readyz: Readyz, path: &str) -> (u16, http::HeaderMap, String) {
    let router = Router::new()
        .route_service("/healthz", Healthz::new())
        .route_service("/readyz", readyz);
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (
        head.status.as_u16(),
        head.headers,
        String::from_utf8(body.to_vec()).unwrap(),
    )
}

async fn readyz(readyz: &Readyz) -> (u16, String) {
    let (code, headers, text) = ask(Method::GET, readyz.clone(), "/readyz").await;
    assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(headers["cache-control"], "no-store");
    (code, text)
}

fn codes(sink: &EventSink) -> Vec<ConcernCode> {
    sink.status().concerns.iter().map(|concern| concern.code).collect()
}

fn words(sink: &EventSink, code: ConcernCode) -> String {
    crate::support::words(sink, code).unwrap_or_else(|| panic!("no {code:?}"))
}

#[tokio::test]
async fn alive_is_whoever_answers_and_only_questions_are_answered() {
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let probe = Readyz::new(sink);
    let (code, headers, text) = ask(Method::GET, probe.clone(), "/healthz").await;
    assert_eq!((code, text.as_str()), (200, "ok\n"), "also before the first list");
    assert_eq!(headers["cache-control"], "no-store");
    for path in ["/healthz", "/readyz"] {
        let (code, headers, _) = ask(Method::POST, probe.clone(), path).await;
        assert_eq!((code, headers["allow"].to_str().unwrap()), (405, "GET, HEAD"), "{path}");
    }
    assert_eq!(ask(Method::HEAD, probe, "/readyz").await.0, 503);
}

#[tokio::test(start_paused = true)]
async fn ready_is_as_the_policy_has_it_and_says_why_not() {
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let probe = Readyz::new(sink.clone());
    let (code, text) = readyz(&probe).await;
    assert_eq!(
        (code, text.as_str()),
        (
            503,
            "not ready\n- no-list: No revocation list was fetched yet. Until one is, credentials that nothing is known against \
             are refused with 503.\nlist: none\nfeed: unknown\njournal: none\n"
        )
    );
    sink.install(list_of_now()).unwrap();
    assert_eq!(
        readyz(&probe).await,
        (200, "ready\nlist: fetched\nfeed: unknown\njournal: none\n".to_owned())
    );
    tokio::time::advance(DEFAULT_MAX_AGE + Duration::from_secs(60)).await;
    assert_eq!(codes(&sink), [ConcernCode::ListStale]);
    let (code, text) = readyz(&probe).await;
    assert_eq!(code, 503);
    assert!(
        text.contains("- list-stale: The revocation list was last fetched 61 min ago, and may be 60 min old. Credentials that nothing"),
        "{text}"
    );

    sink.configure(|config| config.with_stale_policy(StalePolicy::FailOpen));
    let (code, text) = readyz(&probe).await;
    assert_eq!(code, 200);
    assert!(
        text.starts_with("ready\nalso\n- list-stale: "),
        "it is amiss all the same: {text}"
    );
    assert!(
        text.contains("Credentials are admitted although the list may have revoked them."),
        "{text}"
    );

    sink.configure(|config| config.with_lists(ListPolicy::NotUsed));
    assert_eq!(codes(&sink), []);
}

#[tokio::test(start_paused = true)]
async fn a_need_makes_it_not_ready_and_nothing_else_does() {
    let (_layer, sink) = fresh_pair();
    let (plain, needy) = (
        Readyz::new(sink.clone()),
        Readyz::new(sink.clone()).with_need(Need::Feed),
    );
    let (code, text) = readyz(&needy).await;
    assert_eq!(code, 503);
    assert!(
        text.starts_with("not ready\n- feed: Nothing was said of an event feed yet.\nlist"),
        "{text}"
    );
    for (state, concern) in [
        (FeedState::Connecting, Some(ConcernCode::FeedConnecting)),
        (FeedState::CatchingUp, Some(ConcernCode::FeedCatchingUp)),
        (FeedState::Live, None),
        (FeedState::Down, Some(ConcernCode::FeedDown)),
        (FeedState::Live, None),
    ] {
        sink.set_feed(state);
        assert_eq!(codes(&sink), concern.into_iter().collect::<Vec<_>>());
        assert_eq!(readyz(&plain).await.0, 200, "{state:?}");
        let (code, text) = readyz(&needy).await;
        assert_eq!(code, if concern.is_none() { 200 } else { 503 }, "{text}");
        assert!(text.contains(&format!("\nfeed: {}\n", state.as_str())), "{text}");
    }
    let (code, text) = readyz(&Readyz::new(sink.clone()).with_need(Need::SigningKeys)).await;
    assert_eq!(code, 503);
    assert!(text.contains("- signing-keys: No poller runs"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_feed_says_since_when_it_is_as_it_is() {
    let (_layer, sink) = fresh_pair();
    assert_eq!(sink.status().feed.state_for_ms, None);
    sink.set_feed(FeedState::Down);
    tokio::time::advance(Duration::from_secs(90)).await;
    sink.set_feed(FeedState::Down);
    assert_eq!(sink.status().feed.state_for_ms, Some(90_000), "nothing new was said");
    assert!(words(&sink, ConcernCode::FeedDown).starts_with("The feed of events has been down for 90 s."));
    sink.set_feed(FeedState::Live);
    assert_eq!(sink.status().feed.state_for_ms, Some(0));
}

#[tokio::test]
async fn room_that_runs_out_is_told_of_at_nine_tenths() {
    let (_layer, sink) = fresh_pair();
    sink.configure(|config| config.with_capacity(NonZeroUsize::new(10).unwrap()));
    for entries in 1..=10 {
        sink.apply(Revocation::block(Key::subject(&entries.to_string())))
            .unwrap()
            .wait()
            .unwrap();
        let expected: &[_] = if entries < 9 { &[] } else { &[ConcernCode::OverlayFull] };
        assert_eq!(codes(&sink), expected, "{entries}");
    }
    assert!(words(&sink, ConcernCode::OverlayFull).starts_with("Events hold 10 of the 10 keys that they may."));
}

/// Programs go by them.
#[test]
fn codes_are_named_as_in_json_and_the_gravest_is_first() {
    let all = [
        ConcernCode::JournalLost,
        ConcernCode::NoList,
        ConcernCode::ListStale,
        ConcernCode::NoSigningKeys,
        ConcernCode::FeedDown,
        ConcernCode::CanaryOverdue,
        ConcernCode::FeedGap,
        ConcernCode::OnlyAnonymous,
        ConcernCode::WithoutKeys,
        ConcernCode::IssuedInTheFuture,
        ConcernCode::JournalNotDurable,
        ConcernCode::OverlayFull,
        ConcernCode::ListAging,
        ConcernCode::SigningKeysAging,
        ConcernCode::FeedConnecting,
        ConcernCode::FeedCatchingUp,
    ];
    assert!(all.is_sorted());
    for code in all {
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
    }
    for state in [
        FeedState::Unknown,
        FeedState::Connecting,
        FeedState::CatchingUp,
        FeedState::Live,
        FeedState::Down,
    ] {
        assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
    }
    assert_eq!(
        [Need::Canary, Need::Feed, Need::SigningKeys].map(Need::as_str),
        ["canary", "feed", "signing-keys"]
    );
}

#[tokio::test]
async fn memory_is_told_in_bytes() {
    let (_layer, sink) = fresh_pair();
    let before = sink.status();
    let events = (0..10_000).map(|id| Revocation::block(Key::subject(&id.to_string())));
    sink.apply_all(events.clone()).unwrap().wait().unwrap();
    let overlay = sink.status().overlay;
    assert_eq!((overlay.entries, overlay.applied), (10_000, 10_000));
    // Some 140 bytes a key, as the layer's documentation has it, with what is kept free.
    assert!((900_000..2_500_000).contains(&overlay.bytes), "{overlay:?}");
    assert!(before.overlay.bytes < 1_000, "{before:?}");
    let list = events.fold(
        tower_revocation::RevocationList::builder(tower_revocation::Timestamp::now()),
        |list, entry| list.with_entry(&entry),
    );
    sink.install(list.build()).unwrap();
    let list = sink.status().snapshot.unwrap();
    assert!((10_000 * 28..10_000 * 40).contains(&list.bytes), "{list:?}");
}

/// Before a deployment: the load balancer should send nobody any more, whatever is known.
#[tokio::test]
async fn a_process_that_leaves_is_not_ready() {
    let (_, sink) = fresh_pair();
    let probe = Readyz::new(sink.clone());
    assert_eq!(readyz(&probe).await.0, 200);
    let mounted = probe.clone();
    probe.leave();
    let (code, text) = readyz(&mounted).await;
    assert_eq!(code, 503);
    assert!(text.starts_with("not ready\n- leaving: "), "{text}");
    assert!(sink.is_ready(), "requests that come all the same are decided");
}
