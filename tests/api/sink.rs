//! What the host feeds, and what becomes of it.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde_json::json;
use tower_revocation::status::FeedState;
use tower_revocation::{
    Applied, ApplyError, DEFAULT_LEEWAY, DEFAULT_RETENTION, DecodeError, Decoded, Disposition, Event, InstallError,
    Key, Reinstatement, Revocation, RevocationList, Timestamp,
};

use crate::support::{fresh_pair, presenting, send, status_of};

fn ago(secs: u64) -> Timestamp {
    Timestamp::from_unix_secs(Timestamp::now().as_unix_secs() - secs)
}

#[tokio::test]
async fn refuses_after_a_block_and_admits_newer_tokens_after_reinstatement() {
    let (layer, sink) = fresh_pair();
    let issued = |at: Timestamp| {
        let mut request = presenting("alice");
        let iat = at.as_unix_secs().to_string().parse().unwrap();
        request.headers_mut().insert("x-iat", iat);
        request
    };
    assert_eq!(status_of(&layer, "alice").await, 200);
    sink.apply(Revocation::block(Key::subject("alice")).at(ago(10)))
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(send(&layer, issued(ago(0))).await.status(), 401);
    sink.apply(Reinstatement::of(Key::subject("alice"), ago(5)))
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(send(&layer, issued(ago(0))).await.status(), 200);
    assert_eq!(
        send(&layer, issued(ago(10))).await.status(),
        401,
        "issued before the block"
    );
    assert_eq!(status_of(&layer, "alice").await, 401, "cannot say when it was issued");
}

#[tokio::test]
async fn a_reinstated_subject_leaves_its_other_keys_revoked() {
    let (layer, sink) = fresh_pair();
    sink.apply(Revocation::block(Key::subject("session")).at(ago(10)))
        .unwrap()
        .wait()
        .unwrap();
    sink.apply(Revocation::block(Key::subject("alice")).at(ago(10)))
        .unwrap()
        .wait()
        .unwrap();
    sink.apply(Reinstatement::of(Key::subject("alice"), ago(5)))
        .unwrap()
        .wait()
        .unwrap();
    let mut request = presenting("alice session");
    request
        .headers_mut()
        .insert("x-iat", ago(0).as_unix_secs().to_string().parse().unwrap());
    assert_eq!(send(&layer, request).await.status(), 401);
}

#[tokio::test]
async fn a_batch_is_one_publication_and_works_for_any_iterator() {
    let (layer, sink) = fresh_pair();
    sink.apply_all((0..1_000).map(|i| Revocation::block(Key::subject(&i.to_string()))))
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(sink.status().overlay.entries, 1_000);
    assert_eq!(status_of(&layer, "999").await, 401);
    assert_eq!(status_of(&layer, "1000").await, 200);
    sink.apply_all(Vec::<Event>::new()).unwrap().wait().unwrap();
}

#[tokio::test(start_paused = true)]
async fn at_capacity_new_keys_are_to_be_retried_and_nothing_is_evicted() {
    let (layer, sink) = fresh_pair();
    sink.configure(|config| {
        config
            .with_capacity(NonZeroUsize::new(2).unwrap())
            .with_retention(Duration::from_secs(60))
    });
    let block = |subject| Revocation::block(Key::subject(subject));
    assert_eq!(
        sink.apply_all(["a", "b", "c", "d"].map(block)).and_then(Applied::wait),
        Err(ApplyError::AtCapacity { refused: 2 })
    );
    tokio::time::advance(Duration::from_secs(1)).await;
    let retry = sink.ingest(&|_: &[u8]| Ok(Decoded::from(block("c"))), b"").wait();
    assert_eq!(
        retry,
        Disposition::Retry("overlay is at capacity: no room for 1 events".into())
    );
    assert_eq!(sink.status().feed.last_event_ms_ago, Some(1_000));
    sink.apply(block("a")).unwrap().wait().unwrap();
    assert_eq!(sink.status().feed.last_event_ms_ago, Some(0));
    for (subject, status) in [("a", 401), ("b", 401), ("c", 200)] {
        assert_eq!(status_of(&layer, subject).await, status);
    }
    // Room is made by what may be forgotten.
    tokio::time::advance(Duration::from_secs(62)).await;
    sink.apply(block("c")).unwrap().wait().unwrap();
    assert_eq!(status_of(&layer, "c").await, 401);
    assert_eq!(sink.status().overlay.entries, 1);
    assert_eq!(sink.status().dispositions.retry, 1);
}

#[tokio::test(start_paused = true)]
async fn entries_outlive_tokens() {
    let (layer, sink) = fresh_pair();
    sink.configure(|config| config.with_max_age(DEFAULT_RETENTION * 2));
    let soon = Timestamp::now().saturating_add(Duration::from_secs(3_600));
    sink.apply(Revocation::block(Key::subject("default")).at(ago(86_400 * 365)))
        .unwrap()
        .wait()
        .unwrap();
    sink.apply(Revocation::block(Key::subject("soon")).forget_at(soon))
        .unwrap()
        .wait()
        .unwrap();
    let stir = || {
        sink.apply(Revocation::block(Key::subject("stir")))
            .unwrap()
            .wait()
            .unwrap()
    };

    tokio::time::advance(Duration::from_secs(3_598) + DEFAULT_LEEWAY).await;
    stir();
    assert_eq!(status_of(&layer, "soon").await, 401);
    tokio::time::advance(Duration::from_secs(660)).await;
    stir();
    assert_eq!(status_of(&layer, "soon").await, 200);
    assert_eq!(status_of(&layer, "default").await, 401);
    tokio::time::advance(DEFAULT_RETENTION - Duration::from_secs(5_000)).await;
    stir();
    assert_eq!(status_of(&layer, "default").await, 401);
    tokio::time::advance(Duration::from_secs(5_000)).await;
    stir();
    assert_eq!(status_of(&layer, "default").await, 200);
}

#[tokio::test]
async fn every_message_ends_in_exactly_one_way() {
    let (layer, sink) = fresh_pair();
    let decode = |message: &[u8]| match message {
        b"revoke" => Ok(Decoded::from(Revocation::block(Key::subject("alice")))),
        b"refresh" => Ok(Decoded::Refresh),
        b"other" => Ok(Decoded::Ignored("not ours".into())),
        _ => Err(DecodeError::new("type", "is missing").because("line 1, column 7")),
    };
    assert_eq!(sink.ingest(&decode, b"revoke").wait(), Disposition::Applied);
    assert_eq!(sink.ingest(&decode, b"refresh").wait(), Disposition::Applied);
    assert_eq!(
        sink.ingest(&decode, b"other").wait(),
        Disposition::Ignored("not ours".into())
    );
    let dead = sink.ingest(&decode, b"?").wait();
    assert_eq!(
        dead,
        Disposition::DeadLetter("type is missing: line 1, column 7".into())
    );
    assert_eq!(status_of(&layer, "alice").await, 401);
    let status = serde_json::to_value(sink.status()).unwrap();
    assert_eq!(
        status["dispositions"],
        json!({"applied": 2, "ignored": 1, "retry": 0, "dead-letter": 1})
    );
    assert_eq!(
        status["last_dead_letter"]["reason"],
        "type is missing: line 1, column 7"
    );
    assert_eq!(status["verdicts"]["revoked"], 1);
}

#[tokio::test]
async fn a_dead_letter_has_its_reason_in_few_words() {
    let (_layer, sink) = fresh_pair();
    let decode = |message: &[u8]| Err(DecodeError::new("type", String::from_utf8_lossy(message).into_owned()));
    let Disposition::DeadLetter(reason) = sink.ingest(&decode, "ü".repeat(10_000).as_bytes()).wait() else {
        panic!("it cannot be read");
    };
    assert_eq!(reason.chars().count(), 501);
    assert!(reason.starts_with("type ü") && reason.ends_with('…'));
    assert_eq!(sink.status().last_dead_letter.unwrap().reason, reason);
}

#[tokio::test(start_paused = true)]
async fn status_has_the_shape_that_operators_rely_on() {
    let (layer, sink) = fresh_pair();
    sink.set_feed(FeedState::CatchingUp);
    sink.apply(Revocation::block(Key::subject("mallory")))
        .unwrap()
        .wait()
        .unwrap();
    status_of(&layer, "alice").await;
    tokio::time::advance(Duration::from_millis(1_500)).await;
    let mut status = serde_json::to_value(sink.status()).unwrap();
    let iat = status["snapshot"]["iat"].take().as_u64().unwrap();
    assert!(Timestamp::now().as_unix_secs() - iat < 60);
    // As much as the tables happen to take.
    let bytes = status["overlay"]["bytes"].clone();
    assert!(bytes.as_u64().unwrap() > 0);
    assert_eq!(
        status,
        json!({
            "started_ms_ago": 1500,
            "ready": true,
            "concerns": [{
                "code": "feed-catching-up",
                "words": "The feed of events has been catching up for 1.5 s: older revocations are still coming in."
            }],
            "freshness": "fresh",
            "snapshot": {"entries": 0, "bytes": 0, "age_ms": 1500, "max_age_ms": 3_600_000, "iat": null},
            "poll": {"last_success_ms_ago": 1500, "last_error": null, "failures": 0, "signing_keys": null},
            "overlay": {"entries": 1, "capacity": 1_000_000, "bytes": bytes, "applied": 1},
            "feed": {
                "source": null,
                "state": "catching-up",
                "state_for_ms": 1500,
                "last_event_ms_ago": 1500,
                "last_signal_ms_ago": null,
                "last_heartbeat_ms_ago": null,
                "lag": null,
                "behind_ms": null,
                "unacknowledged": 0,
                "opened": 0,
                "gaps": 0,
                "last_gap": null,
                "last_error": null,
            },
            "issuer_logs": [],
            "dispositions": {"applied": 0, "ignored": 0, "retry": 0, "dead-letter": 0},
            "last_dead_letter": null,
            "verdicts": {"admit": 1, "anonymous": 0, "revoked": 0, "revoked_by_event": 0, "revoked_by_list": 0, "unknown": 0, "unreadable": 0},
            "doubtful": {
                "issued_in_future": {"count": 0, "last_ms_ago": null},
                "without_keys": {"count": 0, "last_ms_ago": null},
            },
            "without_sessions": null,
            "doors": [],
            "would_refuse": 0,
            "in_flight": {"waiting": 0, "woken": 0, "cut": 0, "would_cut": 0},
            "canary": null,
            "journal": null,
        })
    );
}

#[tokio::test]
async fn no_list_rolls_another_back() {
    let (layer, sink) = fresh_pair();
    let list = |at: Timestamp| {
        RevocationList::builder(at)
            .with_entry(&Revocation::block(Key::subject("mallory")).at(ago(100)))
            .build()
    };
    assert!(matches!(
        sink.install(list(ago(60))),
        Err(InstallError::Rollback { .. })
    ));
    let ahead = Timestamp::now().saturating_add(Duration::from_secs(3_600));
    assert!(matches!(
        sink.install(list(ahead)),
        Err(InstallError::FromFuture { .. })
    ));
    assert!(matches!(sink.install_none(), Err(InstallError::Unsigned { .. })));
    assert_eq!(status_of(&layer, "mallory").await, 200);
    sink.configure(|config| config.with_leeway(Duration::ZERO));
    let soon = || Timestamp::now().saturating_add(Duration::from_secs(5));
    assert!(matches!(
        sink.install(list(soon())),
        Err(InstallError::FromFuture { .. })
    ));
    sink.configure(|config| config.with_leeway(DEFAULT_LEEWAY));
    sink.install(list(soon())).unwrap();
    assert_eq!(status_of(&layer, "mallory").await, 401);
}

#[tokio::test]
async fn a_reinstatement_from_the_future_is_a_dead_letter_and_lifts_nothing() {
    let (layer, sink) = fresh_pair();
    let alice = Key::subject("alice");
    let ahead = Timestamp::now().saturating_add(Duration::from_secs(3_600));
    let decode = |_: &[u8]| {
        let events = vec![
            Event::from(Reinstatement::of(alice, ahead)),
            Event::from(Revocation::block(Key::subject("bob"))),
        ];
        Ok(Decoded::Events(events))
    };
    let disposition = sink.ingest(&decode, b"").wait();
    assert!(
        matches!(&disposition, Disposition::DeadLetter(why) if why.contains("future")),
        "{disposition:?}"
    );
    assert_eq!(status_of(&layer, "bob").await, 401, "the rest of it is in force");
    assert!(matches!(
        sink.apply(Reinstatement::of(alice, ahead)).and_then(Applied::wait),
        Err(ApplyError::FromFuture { refused: 1, .. })
    ));
    sink.apply(Revocation::block(alice)).unwrap().wait().unwrap();
    let mut request = presenting("alice");
    let iat = ahead.as_unix_secs().to_string().parse().unwrap();
    request.headers_mut().insert("x-iat", iat);
    assert_eq!(send(&layer, request).await.status(), 401);
}
