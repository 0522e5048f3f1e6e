//! Cloudflare Queues, by an API that does as it is documented, on a paused clock.

use std::future::pending;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::middleware::{Next, from_fn};
use serde_json::json;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tower_revocation::source::cloudflare::{CloudflareDelivery, CloudflareSource, DEFAULT_VISIBILITY_TIMEOUT};
use tower_revocation::source::testing::{self, Capability, Checked, Harness, Rule};
use tower_revocation::source::{
    self, Continuity, DEFAULT_SILENCE, DeadLetterPolicy, Delivery, Drive, EventSource, Retry, Signal, SourceError,
    Start,
};
use tower_revocation::status::FeedStatus;
use tower_revocation::{DecodeError, Decoded, EventSink, FeedState, Key, Revocation, Timestamp};

use crate::cloudflare_api::{ACCOUNT, CloudflareApi, Consumer, TOKEN, Trouble};
use crate::support::{fresh_pair, status_of, until_within};

/// `+<subject>` revokes; anything else cannot be read.
fn decode(message: &[u8]) -> Result<Decoded, DecodeError> {
    let subject = message.strip_prefix(b"+").and_then(|id| std::str::from_utf8(id).ok());
    let subject = subject.ok_or_else(|| DecodeError::new("body", "makes no sense"))?;
    Ok(Decoded::from(Revocation::block(Key::subject(subject))))
}

type ByDecode = fn(&[u8]) -> Result<Decoded, DecodeError>;

fn source(api: &CloudflareApi, queue: &str) -> CloudflareSource<Router> {
    CloudflareSource::new(api.app(), ACCOUNT, queue, TOKEN)
}

/// A feed that finds a list for every gap at once.
fn feed(
    source: CloudflareSource<Router>,
    sink: &EventSink,
) -> Drive<CloudflareSource<Router>, ByDecode, impl source::Resync + use<>> {
    source::drive(source, decode as ByDecode, sink.clone()).with_resync(|_| async { Ok(()) })
}

fn run(source: CloudflareSource<Router>, sink: &EventSink) -> JoinHandle<()> {
    tokio::spawn(feed(source, sink).run())
}

fn one_queue() -> CloudflareApi {
    CloudflareApi::default().with_queue("q", Consumer::default())
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    until_within(Duration::from_secs(3_600), what, condition).await;
}

async fn until_state(sink: &EventSink, state: FeedState) -> FeedStatus {
    until(&format!("{state:?}"), || sink.status().feed.state == state).await;
    sink.status().feed
}

async fn until_entries(sink: &EventSink, entries: usize) {
    until("all entries", || sink.status().overlay.entries == entries).await;
}

/// The next message, whatever comes before it.
async fn message(source: &mut CloudflareSource<Router>) -> CloudflareDelivery<Router> {
    loop {
        if let Signal::Message(delivery) = source.next().await.unwrap() {
            return delivery;
        }
    }
}

/// Reads until the feed is idle again.
async fn idle(source: &mut CloudflareSource<Router>) {
    while !matches!(source.next().await.unwrap(), Signal::Alive { .. }) {}
}

fn start() -> Start {
    Start::since(Timestamp::now())
}

#[tokio::test(start_paused = true)]
async fn every_replica_sees_every_event_from_its_own_queue() {
    let api = one_queue().with_queue("r", Consumer::default());
    let (replicas, queues) = ([fresh_pair(), fresh_pair()], ["q", "r"]);
    for ((_, sink), queue) in replicas.iter().zip(queues) {
        run(source(&api, queue), sink);
    }
    for (_, sink) in &replicas {
        until_state(sink, FeedState::Live).await;
    }
    let published = Instant::now();
    for queue in queues {
        api.send(queue, "text", "+alice");
    }
    for (_, sink) in &replicas {
        until_entries(sink, 1).await;
        assert!(published.elapsed() <= Duration::from_millis(510));
    }
    for ((layer, sink), queue) in replicas.iter().zip(queues) {
        assert_eq!(status_of(layer, "alice").await, 401);
        assert_eq!(sink.status().feed.source.unwrap(), format!("cloudflare:{queue}"));
        until("acknowledged", || api.backlog(queue) == 0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_is_fetched_before_the_first_event_since_a_queue_cannot_be_read_again() {
    let api = one_queue();
    api.send("q", "text", "+alice");
    let (_layer, sink) = fresh_pair();
    let entries_at_resync = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&entries_at_resync);
    let feed =
        source::drive(source(&api, "q"), decode as ByDecode, sink.clone()).with_resync(move |sink: EventSink| {
            noted.lock().unwrap().push(sink.status().overlay.entries);
            async { Ok(()) }
        });
    tokio::spawn(feed.run());
    until_entries(&sink, 1).await;
    let feed = until_state(&sink, FeedState::Live).await;
    assert_eq!(*entries_at_resync.lock().unwrap(), [0]);
    assert_eq!(feed.gaps, 1);
    assert_eq!(
        feed.last_gap.unwrap().reason,
        "a queue cannot be read again from before this process began"
    );
    // Not so when the same process opens it again: the queue kept everything.
    api.trouble("pull", Trouble::Status(500, None));
    until_state(&sink, FeedState::Down).await;
    api.send("q", "text", "+bob");
    until_entries(&sink, 2).await;
    let feed = until_state(&sink, FeedState::Live).await;
    assert_eq!((feed.gaps, feed.opened), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_was_not_read_for_longer_than_it_keeps_messages_has_a_gap() {
    let api = one_queue();
    let mut source = source(&api, "q").with_retention(Duration::from_secs(60));
    assert!(matches!(source.open(&start()).await.unwrap(), Continuity::Gap(_)));
    sleep(Duration::from_secs(60)).await;
    assert_eq!(source.open(&start()).await.unwrap(), Continuity::Complete);
    sleep(Duration::from_secs(61)).await;
    let reason = "the queue was not read for 61 seconds, and keeps messages for 60";
    assert_eq!(source.open(&start()).await.unwrap(), Continuity::Gap(reason.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn each_content_type_is_read_and_v8_is_a_dead_letter() {
    let api = one_queue().with_queue("dead", Consumer::default());
    for (content_type, body) in [
        ("json", "+json"),
        ("bytes", "+bytes"),
        ("text", "+text"),
        ("v8", "\u{f}\"+v8"),
    ] {
        api.send("q", content_type, body);
    }
    let (layer, sink) = fresh_pair();
    run(source(&api, "q").with_dead_letters("dead"), &sink);
    until_entries(&sink, 3).await;
    for subject in ["json", "bytes", "text"] {
        assert_eq!(status_of(&layer, subject).await, 401, "{subject}");
    }
    until("all settled", || api.backlog("q") == 0).await;
    let [letter] = api.contents("dead").try_into().unwrap();
    assert_eq!(letter["payload"], "\u{f}\"+v8");
    assert_eq!(letter["reason"], "body makes no sense");
    assert_eq!(
        (&letter["source"], &letter["attempts"]),
        (&json!("cloudflare:q"), &json!(1))
    );
    assert!(letter["replica"].is_string() && letter["at"].is_u64());
}

#[tokio::test(start_paused = true)]
async fn full_batches_are_asked_for_at_once_and_acknowledged_many_at_a_time() {
    let api = one_queue();
    for number in 0..1_050 {
        api.send("q", "text", format!("+{number}"));
    }
    let (_layer, sink) = fresh_pair();
    let started = Instant::now();
    run(source(&api, "q"), &sink);
    until_entries(&sink, 1_050).await;
    assert!(
        started.elapsed() < Duration::from_millis(100),
        "{:?}",
        started.elapsed()
    );
    until("all settled", || api.backlog("q") == 0).await;
    let acks = api.calls("ack");
    let counts: Vec<_> = acks
        .iter()
        .map(|call| call.body["acks"].as_array().unwrap().len())
        .collect();
    assert_eq!(counts.iter().sum::<usize>(), 1_050, "each is acknowledged once");
    assert!(counts.len() <= 12, "{counts:?}");
    assert_eq!(
        api.calls("pull")[0].body,
        json!({"batch_size": 100, "visibility_timeout_ms": 30_000})
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_queue_is_asked_at_its_pace() {
    for (pace, expected) in [(500, 20), (1_000, 10), (100, 100)] {
        let api = one_queue();
        let (_layer, sink) = fresh_pair();
        let running = run(source(&api, "q").with_pace(Duration::from_millis(pace)), &sink);
        until_state(&sink, FeedState::Live).await;
        let before = api.calls("pull").len();
        sleep(Duration::from_secs(10)).await;
        let asked = api.calls("pull").len() - before;
        assert!(asked.abs_diff(expected) <= 1 + expected / 50, "{pace} ms: {asked}");
        let feed = sink.status().feed;
        assert_eq!((feed.state, feed.opened, feed.lag), (FeedState::Live, 1, Some(0)));
        assert_eq!(api.calls("ack").len(), 0, "nothing to tell");
        running.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_settled_is_delivered_again_once_its_lease_is_over() {
    let api = one_queue();
    api.send("q", "text", "+alice");
    let mut source = source(&api, "q").with_visibility_timeout(Duration::from_secs(7));
    source.open(&start()).await.unwrap();
    let first = message(&mut source).await;
    assert_eq!(
        (first.payload(), first.attempts(), first.lag()),
        (&b"+alice"[..], 1, Some(0))
    );
    assert_eq!(first.position(), None);
    drop(first);
    let leased = Instant::now();
    let mut second = message(&mut source).await;
    assert_eq!(second.attempts(), 2);
    let after = leased.elapsed();
    assert!((7_000..=7_510).contains(&after.as_millis()), "{after:?}");
    second.ack().await.unwrap();
    idle(&mut source).await;
    assert_eq!(api.backlog("q"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_late_acknowledgement_counts() {
    let api = one_queue();
    api.send("q", "text", "+alice");
    let mut source = source(&api, "q");
    source.open(&start()).await.unwrap();
    let mut delivery = message(&mut source).await;
    sleep(DEFAULT_VISIBILITY_TIMEOUT * 2).await;
    delivery.ack().await.unwrap();
    source.close().await;
    assert_eq!(api.backlog("q"), 0);
    assert_eq!(api.thrown_away("q"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_is_given_back_with_a_delay_until_it_would_be_thrown_away() {
    let api = one_queue();
    api.send("q", "text", "+alice");
    let mut source = source(&api, "q").with_pace(Duration::from_millis(10));
    source.open(&start()).await.unwrap();
    for (attempts, delay, in_seconds) in [
        (1, Duration::from_millis(2_100), 3),
        (2, Duration::from_secs(90_000), 43_200),
    ] {
        let mut delivery = message(&mut source).await;
        assert_eq!(delivery.attempts(), attempts);
        assert_eq!(delivery.retry(delay).await.unwrap(), Retry::ByBroker);
        let given_back = Instant::now();
        idle(&mut source).await;
        let told = api.calls("ack").pop().unwrap().body;
        assert_eq!(told["retries"][0]["delay_seconds"], in_seconds);
        sleep(Duration::from_secs(in_seconds - 1)).await;
        idle(&mut source).await;
        assert!(given_back.elapsed() < Duration::from_secs(in_seconds));
        sleep(Duration::from_secs(1)).await;
    }
    let mut delivery = message(&mut source).await;
    assert_eq!(delivery.attempts(), 3);
    assert_eq!(delivery.retry(Duration::ZERO).await.unwrap(), Retry::InPlace);
    delivery.ack().await.unwrap();
    source.close().await;
    assert_eq!((api.backlog("q"), api.thrown_away("q")), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_revocation_that_finds_no_room_is_not_lost_though_cloudflare_gives_up_on_it() {
    let api = one_queue();
    let (layer, sink) = fresh_pair();
    sink.configure(|config| config.with_capacity(NonZeroUsize::new(1).unwrap()));
    run(source(&api, "q"), &sink);
    api.send("q", "text", "+alice");
    until_entries(&sink, 1).await;
    api.send("q", "text", "+bob");
    // Three deliveries, and then the last lease ends.
    sleep(Duration::from_secs(60)).await;
    assert_eq!(api.thrown_away("q"), 1);
    assert_eq!(status_of(&layer, "bob").await, 200);
    sink.configure(|config| config.with_capacity(NonZeroUsize::new(2).unwrap()));
    until_entries(&sink, 2).await;
    assert_eq!(status_of(&layer, "bob").await, 401);
    assert_eq!(sink.status().dispositions.dead_letter, 0);
}

#[tokio::test(start_paused = true)]
async fn with_more_retries_cloudflare_delivers_again_and_nothing_is_thrown_away() {
    let consumer = Consumer {
        max_retries: 100,
        dead_letter_queue: None,
    };
    let api = CloudflareApi::default().with_queue("q", consumer);
    let (_layer, sink) = fresh_pair();
    sink.configure(|config| config.with_capacity(NonZeroUsize::new(1).unwrap()));
    run(source(&api, "q").with_max_retries(100), &sink);
    api.send("q", "text", "+alice");
    until_entries(&sink, 1).await;
    api.send("q", "text", "+bob");
    sleep(Duration::from_secs(60)).await;
    let retries = api
        .calls("ack")
        .iter()
        .filter(|call| call.body["retries"][0].is_object())
        .count();
    assert!((5..=9).contains(&retries), "{retries}");
    sink.configure(|config| config.with_capacity(NonZeroUsize::new(2).unwrap()));
    until_entries(&sink, 2).await;
    until("acknowledged", || api.backlog("q") == 0).await;
    assert_eq!(api.thrown_away("q"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_delivered_too_often_goes_to_cloudflares_own_dead_letter_queue() {
    let consumer = Consumer {
        max_retries: 3,
        dead_letter_queue: Some("theirs"),
    };
    let api = CloudflareApi::default().with_queue("q", consumer);
    api.send("q", "json", "\"+alice\"");
    let mut source = source(&api, "q");
    source.open(&start()).await.unwrap();
    for attempts in 1..=3 {
        assert_eq!(message(&mut source).await.attempts(), attempts);
    }
    sleep(DEFAULT_VISIBILITY_TIMEOUT).await;
    idle(&mut source).await;
    assert_eq!(api.contents("theirs"), [json!("+alice")]);
}

#[tokio::test(start_paused = true)]
async fn without_a_place_for_it_a_dead_letter_is_acknowledged_and_told_of() {
    let api = one_queue();
    let (_layer, sink) = fresh_pair();
    let told = Arc::new(Mutex::new(Vec::new()));
    let hook = Arc::clone(&told);
    let feed = feed(source(&api, "q"), &sink)
        .with_dead_letters(DeadLetterPolicy::Note)
        .with_dead_letter_hook(move |letter| hook.lock().unwrap().push(letter.payload.clone()));
    tokio::spawn(feed.run());
    api.send("q", "text", "poison");
    api.send("q", "text", "+alice");
    until_entries(&sink, 1).await;
    until("all settled", || api.backlog("q") == 0).await;
    assert_eq!(*told.lock().unwrap(), ["poison"]);
    assert_eq!(api.calls("messages").len(), 0);
    assert_eq!(sink.status().feed.gaps, 1);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_stored_once_though_storing_it_fails_at_first() {
    let api = one_queue().with_queue("dead", Consumer::default());
    api.trouble("messages", Trouble::Status(503, None));
    api.trouble("messages", Trouble::Status(429, Some(60)));
    let (_layer, sink) = fresh_pair();
    run(
        source(&api, "q")
            .with_dead_letters("dead")
            .with_visibility_timeout(Duration::from_secs(600)),
        &sink,
    );
    let sent = Instant::now();
    api.send("q", "text", "poison");
    api.send("q", "text", "poison too");
    api.send("q", "text", "+alice");
    // Nothing that comes behind waits for it.
    until_entries(&sink, 1).await;
    until("all settled", || api.backlog("q") == 0).await;
    assert!(sent.elapsed() > Duration::from_secs(60));
    let mut payloads: Vec<_> = api
        .contents("dead")
        .into_iter()
        .map(|letter| letter["payload"].clone())
        .collect();
    payloads.sort_by_key(|payload| payload.as_str().map(str::len));
    assert_eq!(payloads, ["poison", "poison too"]);
    // Those two failed, and none was made while all were told to wait.
    assert_eq!(api.calls("messages").len(), 4);
}

#[tokio::test(start_paused = true)]
async fn who_may_not_pull_is_told_why_and_the_token_is_shown_nowhere() {
    let api = one_queue();
    for (token, words) in [
        (
            "a wrong one",
            "POST queues/q/messages/pull: status 401: Authentication error (10000)",
        ),
        (
            "of somebody who may only read",
            "POST queues/q/messages/pull: status 403: Unauthorized request (10106)",
        ),
        ("line\nbreak", "the API token cannot be sent in a header"),
    ] {
        let (_layer, sink) = fresh_pair();
        let source = CloudflareSource::new(api.app(), ACCOUNT, "q", token);
        let shown = format!("{source:?}");
        assert_eq!(shown, r#"CloudflareSource { name: "cloudflare:q", .. }"#);
        let running = run(source, &sink);
        let error = until_state(&sink, FeedState::Down).await.last_error.unwrap();
        assert_eq!(error, words);
        running.abort();
    }
    let (_layer, sink) = fresh_pair();
    run(source(&api, "another"), &sink);
    let error = until_state(&sink, FeedState::Down).await.last_error.unwrap();
    assert_eq!(
        error,
        "POST queues/another/messages/pull: status 404: Queue does not exist (10104)"
    );
    // A line break at the end is what files have.
    let mut source = CloudflareSource::new(api.app(), ACCOUNT, "q", format!("{TOKEN}\n"));
    assert!(source.open(&start()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn cloudflare_is_left_alone_for_as_long_as_it_asks() {
    for pause in [2, 90] {
        let api = one_queue();
        let (_layer, sink) = fresh_pair();
        run(source(&api, "q"), &sink);
        until_state(&sink, FeedState::Live).await;
        api.trouble("pull", Trouble::Status(429, Some(pause)));
        let feed = until_state(&sink, FeedState::Down).await;
        let asked = Instant::now();
        let error = "POST queues/q/messages/pull: status 429: Queue is overloaded (10250)";
        assert_eq!(feed.last_error.unwrap(), error);
        let before = api.calls("pull").len();
        api.send("q", "text", "+alice");
        until_entries(&sink, 1).await;
        let waited = asked.elapsed().as_secs_f64();
        assert!(
            (pause as f64 - 0.1..pause as f64 + 4.0).contains(&waited),
            "{pause}: {waited}"
        );
        let next = api.calls("pull")[before].at;
        assert!(next.duration_since(asked) >= Duration::from_secs(pause) - Duration::from_millis(100));
        assert_eq!(until_state(&sink, FeedState::Live).await.gaps, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_left_alone_for_ever() {
    let api = one_queue();
    for what in ["pull", "ack"] {
        api.trouble(what, Trouble::Status(429, Some(u64::MAX)));
    }
    let mut source = source(&api, "q").with_pace(Duration::MAX);
    assert!(source.open(&start()).await.is_err());
    let error = source.open(&start()).await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("Cloudflare asked to be left alone for another 3"),
        "{error}"
    );
    sleep(Duration::from_secs(60 * 60)).await;
    assert!(source.open(&start()).await.is_ok());
    api.send("q", "text", "+alice");
    message(&mut source).await.ack().await.unwrap();
    let pulled = Instant::now();
    for _ in 0..2 {
        idle(&mut source).await;
    }
    assert!(pulled.elapsed().as_secs() >= 60 * 60);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_is_noticed_and_what_was_pulled_comes_again() {
    let api = one_queue();
    let (_layer, sink) = fresh_pair();
    run(source(&api, "q"), &sink);
    until_state(&sink, FeedState::Live).await;
    api.trouble("pull", Trouble::Hang);
    let hung = Instant::now();
    api.send("q", "text", "+alice");
    until_state(&sink, FeedState::Down).await;
    assert!(hung.elapsed() < DEFAULT_SILENCE + Duration::from_secs(1));
    until_entries(&sink, 1).await;
    assert!(hung.elapsed() < Duration::from_secs(6), "{:?}", hung.elapsed());
}

#[tokio::test(start_paused = true)]
async fn at_the_opening_a_server_that_hangs_is_an_error() {
    let api = one_queue();
    api.trouble("pull", Trouble::Hang);
    let mut source = source(&api, "q");
    let started = Instant::now();
    let error = source.open(&start()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "POST queues/q/messages/pull: no complete answer within 10s"
    );
    assert_eq!(started.elapsed().as_secs(), 10);
    assert!(source.open(&start()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_fails_is_made_again_before_the_lease_is_over() {
    let api = one_queue();
    for trouble in [Trouble::Status(500, None), Trouble::Status(429, Some(3)), Trouble::Hang] {
        api.trouble("ack", trouble);
    }
    let (_layer, sink) = fresh_pair();
    run(source(&api, "q"), &sink);
    api.send("q", "text", "+alice");
    until_entries(&sink, 1).await;
    until("acknowledged", || api.backlog("q") == 0).await;
    let acks = api.calls("ack");
    assert_eq!(acks.len(), 4);
    assert!(acks.iter().all(|call| call.body == acks[0].body), "{acks:?}");
    assert!(acks[3].at.duration_since(acks[0].at) < DEFAULT_VISIBILITY_TIMEOUT);
    assert_eq!(sink.status().dispositions.applied, 1, "it was not delivered again");
    assert_eq!(sink.status().feed.opened, 1, "nothing else waited for that");
}

#[tokio::test(start_paused = true)]
async fn acknowledgements_that_are_refused_are_not_made_for_ever() {
    let api = one_queue();
    api.trouble("ack", Trouble::Status(400, None));
    let (_layer, sink) = fresh_pair();
    run(source(&api, "q"), &sink);
    api.send("q", "text", "+alice");
    until_entries(&sink, 1).await;
    sleep(DEFAULT_VISIBILITY_TIMEOUT - Duration::from_secs(1)).await;
    assert_eq!(api.calls("ack").len(), 1);
    // It is delivered again, which does no harm.
    until("acknowledged", || api.backlog("q") == 0).await;
    assert_eq!(sink.status().dispositions.applied, 2);
}

#[tokio::test(start_paused = true)]
async fn at_the_end_everything_is_told_and_the_rest_given_back() {
    let api = one_queue();
    let (_layer, sink) = fresh_pair();
    let (end, told_to_end) = oneshot::channel::<()>();
    let running = tokio::spawn(feed(source(&api, "q"), &sink).run_until(async { drop(told_to_end.await) }));
    until_state(&sink, FeedState::Live).await;
    for number in 0..70 {
        api.send("q", "text", format!("+{number}"));
    }
    until_entries(&sink, 70).await;
    assert_eq!(api.backlog("q"), 70, "to be told with the next pull");
    drop(end);
    running.await.unwrap();
    assert_eq!(api.backlog("q"), 0);

    // What nobody took in is there at once for the next process.
    for number in 0..250 {
        api.send("q", "text", format!("+{number}"));
    }
    let mut source = source(&api, "q");
    source.open(&start()).await.unwrap();
    for _ in 0..30 {
        message(&mut source).await.ack().await.unwrap();
    }
    source.close().await;
    assert_eq!(api.backlog("q"), 220);
    let mut next = self::source(&api, "q");
    next.open(&start()).await.unwrap();
    let started = Instant::now();
    for _ in 0..220 {
        message(&mut next).await.ack().await.unwrap();
    }
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn dropping_next_at_any_time_loses_nothing_and_asks_for_nothing_twice() {
    let api = one_queue();
    let mut source = source(&api, "q");
    source.open(&start()).await.unwrap();
    let mut seen = Vec::new();
    for number in 0..2_000_u64 {
        if number % 10 == 0 {
            api.send("q", "text", format!("+{number}"));
        }
        if let Ok(Ok(Signal::Message(mut delivery))) = timeout(Duration::from_millis(number % 7), source.next()).await {
            assert_eq!(delivery.attempts(), 1);
            seen.push(String::from_utf8(delivery.payload().to_vec()).unwrap());
            delivery.ack().await.unwrap();
        }
    }
    loop {
        match source.next().await.unwrap() {
            Signal::Message(mut delivery) => {
                seen.push(String::from_utf8(delivery.payload().to_vec()).unwrap());
                delivery.ack().await.unwrap();
            }
            Signal::Alive { .. } => break,
            _ => {}
        }
    }
    let expected: Vec<_> = (0..2_000).step_by(10).map(|number| format!("+{number}")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test(start_paused = true)]
async fn is_caught_up_after_what_was_there_also_if_more_keeps_coming() {
    let api = one_queue();
    let add = |count: usize| (0..count).for_each(|_| api.send("q", "text", "+x"));
    let mut source = source(&api, "q");
    source.open(&start()).await.unwrap();
    assert!(
        matches!(source.next().await.unwrap(), Signal::CaughtUp),
        "an empty queue, at once"
    );
    add(350);
    source.open(&start()).await.unwrap();
    let mut messages = 0;
    let caught_up_after = loop {
        match source.next().await.unwrap() {
            Signal::CaughtUp => break messages,
            Signal::Message(mut delivery) => {
                messages += 1;
                delivery.ack().await.unwrap();
                add(1);
            }
            _ => {}
        }
    };
    assert!((350..=500).contains(&caught_up_after), "{caught_up_after}");
}

#[tokio::test(start_paused = true)]
async fn it_answers_for_a_message_only_once_that_was_pulled_before_a_failure() {
    let api = one_queue();
    for number in 0..3 {
        api.send("q", "text", format!("+{number}"));
    }
    let mut source = source(&api, "q");
    source.open(&start()).await.unwrap();
    message(&mut source).await.ack().await.unwrap();
    // Opened anew, the others need not wait for their leases to end.
    source.open(&start()).await.unwrap();
    let opened = Instant::now();
    for payload in ["+1", "+2"] {
        let mut delivery = message(&mut source).await;
        assert_eq!((delivery.payload(), delivery.attempts()), (payload.as_bytes(), 1));
        delivery.ack().await.unwrap();
    }
    assert_eq!(opened.elapsed(), Duration::ZERO);
    source.close().await;
    assert_eq!(api.backlog("q"), 0);
}

#[tokio::test]
async fn it_is_pulled_from_over_a_socket() -> Result<(), SourceError> {
    use bytes::Bytes;
    use http_body_util::Full;
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;

    let api = one_queue();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/client/v4/", listener.local_addr().unwrap());
    let app = api.app();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let source = CloudflareSource::new(client, ACCOUNT, "q", TOKEN)
        .with_base_uri(&base.parse().unwrap())
        .with_pace(Duration::from_millis(5));
    let (layer, sink) = fresh_pair();
    let feed = source::drive(source, decode as ByDecode, sink.clone()).with_resync(|_| async { Ok(()) });
    tokio::spawn(feed.run());
    api.send("q", "json", "+alice");
    until_entries(&sink, 1).await;
    assert_eq!(status_of(&layer, "alice").await, 401);
    until("acknowledged", || api.backlog("q") == 0).await;
    Ok(())
}

/// A queue of the API, which can be made to hang.
struct Hanging {
    api: CloudflareApi,
    hangs: Arc<watch::Sender<bool>>,
}

impl Harness for Hanging {
    type Source = CloudflareSource<Router>;

    const LACKS: &[Capability] = &[Capability::ReadAgain, Capability::Trim, Capability::Wipe];

    async fn source(&self) -> CloudflareSource<Router> {
        let hangs = self.hangs.subscribe();
        let app = self.api.app().layer(from_fn(move |request, next: Next| {
            let mut hangs = hangs.clone();
            async move {
                // Whoever asks while it hangs gets no answer, also later.
                if *hangs.borrow_and_update() {
                    pending::<()>().await;
                }
                next.run(request).await
            }
        }));
        CloudflareSource::new(app, ACCOUNT, "q", TOKEN)
            .with_dead_letters("dead")
            .with_max_retries(100)
    }

    async fn publish(&self, messages: Vec<Vec<u8>>) {
        for message in messages {
            self.api.send("q", "text", message);
        }
    }

    async fn dead_letters(&self) -> Vec<Vec<u8>> {
        let letters = self.api.contents("dead").into_iter();
        letters
            .map(|letter| letter["payload"].as_str().unwrap().as_bytes().to_vec())
            .collect()
    }

    async fn cut(&mut self) {
        self.hangs.send_replace(true);
    }

    async fn mend(&mut self) {
        self.hangs.send_replace(false);
    }

    async fn set_frozen(&mut self, is_frozen: bool) {
        self.hangs.send_replace(is_frozen);
    }
}

#[tokio::test(start_paused = true)]
async fn it_keeps_every_rule_that_a_queue_can_show() {
    let mut shown = Vec::new();
    for rule in Rule::ALL {
        let consumer = Consumer {
            max_retries: 100,
            ..Consumer::default()
        };
        let api = CloudflareApi::default()
            .with_queue("q", consumer)
            .with_queue("dead", Consumer::default());
        let hangs = Arc::new(watch::Sender::new(false));
        if testing::check(rule, Hanging { api, hangs }).await.unwrap() == Checked::Holds {
            shown.push(rule);
        }
    }
    let expected = [
        Rule::OnceAndInOrder,
        Rule::DroppedCallsLoseNothing,
        Rule::GoesOnAfterACut,
        Rule::UnsettledComesAgain,
        Rule::CaughtUpAtTheEnd,
        Rule::StaysCaughtUp,
        Rule::EveryMessageEnds,
        Rule::SilenceIsNoticed,
    ];
    assert_eq!(shown, expected);
}
