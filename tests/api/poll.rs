//! The poller, against a server in memory and a paused clock.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{Empty, Full};
use tokio::time::Instant;
use tower::{Service, service_fn};
use tower_revocation::crl::{
    DEFAULT_FAST_PACE, DEFAULT_SLOW_PACE, FETCH_GAP, KEY_FETCH_GAP, KEYS_MAX_AGE, KeyHandle, KeySet, ListError,
    ListFormat, Poller, PublicKey,
};
use tower_revocation::probe::{Need, Readyz};
use tower_revocation::status::FeedState;
use tower_revocation::{
    ConcernCode, DEFAULT_MAX_AGE, Decoded, Disposition, EventSink, Key, Revocation, RevocationLayer, RevocationList,
    Timestamp,
};

use crate::support::{by_header, fresh_pair, status_of};

/// `<key id>:<iat>:<subjects, separated by commas>`, perhaps with `:<exp>`; keys are lists of ids. The tests are about
/// fetching, not about signatures.
struct Plain;

impl ListFormat for Plain {
    fn read_list(&self, body: &[u8], keys: &KeySet, _now: Timestamp) -> Result<RevocationList, ListError> {
        let text = std::str::from_utf8(body).map_err(|_| ListError::invalid("body", "is not text"))?;
        let mut parts = text.split(':');
        let (Some(kid), Some(iat), Some(subjects)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(ListError::invalid("body", "does not have three parts"));
        };
        if !keys.contains(kid) {
            return Err(ListError::UnknownKey { kid: kid.to_owned() });
        }
        let iat = iat.parse().map_err(|_| ListError::invalid("iat", "is not a number"))?;
        let mut list = RevocationList::builder(Timestamp::from_unix_secs(iat));
        for subject in subjects.split(',').filter(|subject| !subject.is_empty()) {
            list.push(&Revocation::block(Key::subject(subject)));
        }
        if let Some(exp) = parts.next().and_then(|exp| exp.parse().ok()) {
            list = list.with_expiry(Timestamp::from_unix_secs(exp));
        }
        Ok(list.build())
    }

    fn read_keys(&self, body: &[u8]) -> Result<KeySet, ListError> {
        let text = std::str::from_utf8(body).map_err(|_| ListError::invalid("keys", "is not text"))?;
        let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key();
        let key = PublicKey::from_ed25519(key.as_bytes()).ok_or_else(|| ListError::invalid("keys", "is weak"))?;
        Ok(text
            .split(',')
            .fold(KeySet::default(), |keys, kid| keys.with_key(kid, key.clone())))
    }

    fn accept(&self) -> HeaderValue {
        HeaderValue::from_static("text/plain")
    }

    fn is_none_yet(&self, status: StatusCode, body: &[u8]) -> bool {
        status == StatusCode::NOT_FOUND && body == b"none yet"
    }
}

/// A server that answers as told, and keeps a log of what it was asked and when.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    keys: String,
    keys_are_away: bool,
    keys_hang: bool,
    /// What the next requests for the list get; then the last one again.
    answers: VecDeque<Answer>,
    log: Vec<(Instant, Request<()>)>,
}

#[derive(Clone)]
enum Answer {
    Hang,
    Fail,
    Reply(StatusCode, Vec<(&'static str, String)>, String),
}

impl Server {
    fn new(keys: &str) -> Self {
        let server = Self::default();
        server.0.lock().unwrap().keys = keys.to_owned();
        server
    }

    fn will(self, answer: Answer) -> Self {
        self.0.lock().unwrap().answers.push_back(answer);
        self
    }

    fn will_list(self, list: &str) -> Self {
        self.will(Answer::Reply(StatusCode::OK, Vec::new(), list.to_owned()))
    }

    fn client(
        &self,
    ) -> impl Service<Request<Empty<Bytes>>, Response = Response<Full<Bytes>>, Error = std::io::Error, Future: Send>
    + Send
    + use<> {
        let script = Arc::clone(&self.0);
        service_fn(move |request: Request<Empty<Bytes>>| {
            let script = Arc::clone(&script);
            async move {
                let answer = {
                    let mut script = script.lock().unwrap();
                    let request = request.map(|_| ());
                    let is_keys = request.uri().path() == "/keys";
                    script.log.push((Instant::now(), request));
                    if is_keys && script.keys_hang {
                        Answer::Hang
                    } else if is_keys && script.keys_are_away {
                        Answer::Fail
                    } else if is_keys {
                        Answer::Reply(StatusCode::OK, Vec::new(), script.keys.clone())
                    } else if script.answers.len() > 1 {
                        script.answers.pop_front().unwrap()
                    } else {
                        script.answers[0].clone()
                    }
                };
                match answer {
                    Answer::Hang => pending().await,
                    Answer::Fail => Err(std::io::Error::other("connection refused")),
                    Answer::Reply(status, headers, body) => {
                        let mut response = Response::builder().status(status);
                        for (name, value) in headers {
                            response = response.header(name, value);
                        }
                        Ok(response.body(Full::from(body)).unwrap())
                    }
                }
            }
        })
    }

    /// When the list was asked for, since `start`.
    fn fetches(&self, path: &str, start: Instant) -> Vec<Duration> {
        let script = self.0.lock().unwrap();
        let asked = script.log.iter().filter(|(_, request)| request.uri().path() == path);
        asked.map(|(at, _)| *at - start).collect()
    }

    fn last_request(&self) -> Request<()> {
        self.0.lock().unwrap().log.last().unwrap().1.clone()
    }
}

fn poller(server: &Server, sink: &EventSink) -> KeyHandle {
    let uri = |path: &'static str| {
        Uri::builder()
            .scheme("http")
            .authority("registry")
            .path_and_query(path)
            .build()
            .unwrap()
    };
    let poller = Poller::new(server.client(), Plain, uri("/list"), uri("/keys"), sink.clone())
        .with_timeout(Duration::from_secs(10));
    let keys = poller.keys();
    tokio::spawn(poller.run());
    keys
}

/// Lets time pass until `condition` holds.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(24 * 3600),
            "never happened: {what}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn secs(secs: f64) -> Duration {
    Duration::from_secs_f64(secs)
}

#[tokio::test(start_paused = true)]
async fn installs_what_it_fetches_and_keeps_two_paces() {
    let (layer, sink) = RevocationLayer::pair(by_header);
    let server = Server::new("k1").will_list("k1:100:mallory");
    let start = Instant::now();
    poller(&server, &sink);
    assert_eq!(status_of(&layer, "alice").await, 503);
    sink.refreshed().await;
    assert_eq!(status_of(&layer, "alice").await, 200);
    assert_eq!(status_of(&layer, "mallory").await, 401);
    let asked = server.last_request();
    assert_eq!(
        (asked.uri().path(), &asked.headers()["accept"]),
        ("/list", &Plain.accept())
    );

    until("two more fetches", || server.fetches("/list", start).len() >= 4).await;
    let fetches = server.fetches("/list", start);
    let pause = fetches[3] - fetches[2];
    assert!(
        pause >= DEFAULT_FAST_PACE.mul_f64(0.9) && pause <= DEFAULT_FAST_PACE.mul_f64(1.1),
        "{pause:?}"
    );

    // The feed comes back: at once, and then slowly.
    let live_at = start.elapsed();
    sink.set_feed(FeedState::Live);
    until("fetched upon reconnection", || {
        server.fetches("/list", start).len() >= 5
    })
    .await;
    assert!(server.fetches("/list", start)[4] <= live_at + FETCH_GAP);
    until("one slow fetch", || server.fetches("/list", start).len() >= 6).await;
    let fetches = server.fetches("/list", start);
    let pause = fetches[5] - fetches[4];
    assert!(
        pause >= DEFAULT_SLOW_PACE.mul_f64(0.9) && pause <= DEFAULT_SLOW_PACE.mul_f64(1.1),
        "{pause:?}"
    );

    // It goes: no later than the fast pace.
    let down_at = start.elapsed();
    sink.set_feed(FeedState::Down);
    until("fast again", || server.fetches("/list", start).len() >= 7).await;
    assert!(server.fetches("/list", start)[6] <= down_at + DEFAULT_FAST_PACE);
}

/// All the gateways of a broker lose it at the same moment.
#[tokio::test(start_paused = true)]
async fn a_fleet_whose_broker_dies_does_not_fetch_in_step() {
    let server = Server::new("k1").will_list("k1:100:");
    let fleet: Vec<EventSink> = (0..200).map(|_| RevocationLayer::pair(by_header).1).collect();
    for sink in &fleet {
        poller(&server, sink);
        sink.set_feed(FeedState::Live);
    }
    tokio::time::sleep(2 * DEFAULT_SLOW_PACE).await;
    let down_at = Instant::now();
    fleet.iter().for_each(|sink| sink.set_feed(FeedState::Down));
    tokio::time::sleep(DEFAULT_FAST_PACE).await;
    // Those before count as at once.
    let fetches = server.fetches("/list", down_at);
    let within = |from: Duration, to: Duration| fetches.iter().filter(|at| from < **at && **at <= to).count();
    let all = within(Duration::ZERO, DEFAULT_FAST_PACE);
    assert!(all >= 200, "each within the fast pace: {all}");
    let tenth = DEFAULT_FAST_PACE / 10;
    let most = (0..10).map(|turn| within(turn * tenth, (turn + 1) * tenth));
    let most = most.max().unwrap();
    assert!(most < 60, "a tenth of the time has some 20 of them: {most}");
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_was_live_before_the_poller_began_is_missed_as_well() {
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let server = Server::new("k1").will_list("k1:100:");
    sink.set_feed(FeedState::Live);
    let start = Instant::now();
    poller(&server, &sink);
    until("fetched", || !server.fetches("/list", start).is_empty()).await;
    tokio::time::sleep(FETCH_GAP * 3).await;
    let before = server.fetches("/list", start).len();
    let down_at = start.elapsed();
    sink.set_feed(FeedState::Down);
    until("fast at once", || server.fetches("/list", start).len() > before).await;
    assert!(server.fetches("/list", start)[before] <= down_at + DEFAULT_FAST_PACE.mul_f64(1.1));
}

#[tokio::test(start_paused = true)]
async fn a_message_may_ask_for_a_fetch() {
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let server = Server::new("k1").will_list("k1:100:");
    let start = Instant::now();
    poller(&server, &sink);
    sink.refreshed().await;
    let before = server.fetches("/list", start).len();
    let disposition = sink.ingest(&|_: &[u8]| Ok(Decoded::Refresh), b"newer list").wait();
    assert_eq!(disposition, Disposition::Applied);
    tokio::time::sleep(FETCH_GAP * 2).await;
    assert_eq!(server.fetches("/list", start).len(), before + 1);
}

/// The poller watches the feed's latest state, and once took a feed that was back before it looked for one that had never
/// been away.
#[tokio::test(start_paused = true)]
async fn a_feed_that_was_away_ever_so_shortly_has_the_list_fetched_at_once() {
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let server = Server::new("k1").will_list("k1:100:");
    let start = Instant::now();
    sink.set_feed(FeedState::Live);
    poller(&server, &sink);
    sink.refreshed().await;
    tokio::time::sleep(secs(60.0)).await;
    let before = server.fetches("/list", start).len();
    sink.set_feed(FeedState::Down);
    sink.set_feed(FeedState::Live);
    tokio::time::sleep(FETCH_GAP).await;
    assert_eq!(server.fetches("/list", start).len(), before + 1);
    // To say once more what is known is no reason to fetch, nor is to say that it is gone.
    sink.set_feed(FeedState::Live);
    tokio::time::sleep(secs(60.0)).await;
    sink.set_feed(FeedState::Down);
    tokio::time::sleep(secs(5.0)).await;
    assert_eq!(server.fetches("/list", start).len(), before + 1);
}

/// No pace at all made the poller fetch without a pause, and one beyond what clocks can count ended it.
#[cfg(feature = "source")]
#[tokio::test(start_paused = true)]
async fn a_feed_that_may_have_lost_events_has_the_list_fetched_before_the_first() {
    use crate::feed::plain;
    use tower_revocation::source::{self, Memory};

    let (layer, sink) = fresh_pair();
    let server = Server::new("k1")
        .will_list("k1:9999999999:")
        .will(Answer::Fail)
        .will_list("k1:100:");
    // Freshness is another matter than gaps.
    let server = server.will_list(&format!("k1:{}:lost", Timestamp::now().as_unix_secs() + 1));
    let log = Memory::with_room("revocations", 1);
    log.publish("+lost");
    log.publish("+kept");
    poller(&server, &sink);
    let started = Instant::now();
    tokio::spawn(
        source::drive(log.source(), plain, sink.clone())
            .with_patience(secs(600.0))
            .run(),
    );
    until("an event", || sink.status().overlay.entries > 0).await;
    // The first fetches came to nothing: the list was from the future, the server away, the list a rollback.
    assert!(server.fetches("/list", started).len() >= 4);
    assert_eq!(status_of(&layer, "lost").await, 401, "the list was there first");
    until("live", || sink.status().feed.state == FeedState::Live).await;

    // From then on the poller takes its time, after one more fetch at its fast pace.
    tokio::time::sleep(DEFAULT_FAST_PACE.mul_f64(1.5)).await;
    let fetched = server.fetches("/list", started).len();
    tokio::time::sleep(DEFAULT_SLOW_PACE.mul_f64(0.8)).await;
    assert_eq!(server.fetches("/list", started).len(), fetched);
    // Until the feed is away.
    log.set_away(true);
    until("down", || sink.status().feed.state == FeedState::Down).await;
    tokio::time::sleep(DEFAULT_FAST_PACE.mul_f64(3.5)).await;
    assert!(server.fetches("/list", started).len() >= fetched + 3);
    // It comes back without having missed anything: nothing has to be fetched for that.
    log.set_away(false);
    until("live again", || sink.status().feed.state == FeedState::Live).await;
    assert_eq!(sink.status().feed.gaps, 1);
}

#[tokio::test(start_paused = true)]
async fn no_pace_is_too_fast_or_too_slow() {
    let paced = |pace| {
        let (_layer, sink) = RevocationLayer::pair(by_header);
        let server = Server::new("k1").will_list("k1:100:");
        let uri = Uri::from_static;
        let poller = Poller::new(
            server.client(),
            Plain,
            uri("http://r/list"),
            uri("http://r/keys"),
            sink.clone(),
        );
        tokio::spawn(poller.with_fast_pace(pace).with_slow_pace(pace).run());
        (server, sink)
    };
    let start = Instant::now();
    let (server, _sink) = paced(Duration::ZERO);
    tokio::time::sleep(secs(60.0)).await;
    let fetches = server.fetches("/list", start);
    assert!(fetches.len() > 50, "{}", fetches.len());
    assert!(
        fetches.windows(2).all(|pair| pair[1] - pair[0] >= FETCH_GAP),
        "{fetches:?}"
    );

    let (_server, sink) = paced(Duration::MAX);
    for _ in 0..3 {
        sink.refreshed().await;
        sink.set_feed(FeedState::Live);
        sink.refreshed().await;
        sink.set_feed(FeedState::Down);
    }
    assert!(sink.is_ready());
}

#[test]
fn a_list_may_miss_three_fetches_at_the_slow_pace() {
    assert_eq!(DEFAULT_MAX_AGE, DEFAULT_SLOW_PACE * 4);
}

#[tokio::test(start_paused = true)]
async fn many_requests_are_one_fetch_and_fetches_are_apart() {
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let server = Server::new("k1").will_list("k1:100:");
    let start = Instant::now();
    poller(&server, &sink);
    sink.refreshed().await;
    for _ in 0..1_000 {
        sink.refresh();
    }
    tokio::join!(sink.refreshed(), sink.refreshed(), sink.refreshed());
    let fetches = server.fetches("/list", start);
    assert!(fetches.len() <= 3, "{fetches:?}");
    assert!(
        fetches.windows(2).all(|pair| pair[1] - pair[0] >= FETCH_GAP),
        "{fetches:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_hanging_server_costs_a_timeout_and_changes_nothing() {
    let (layer, sink) = fresh_pair();
    sink.apply(Revocation::block(Key::subject("mallory")))
        .unwrap()
        .wait()
        .unwrap();
    let server = Server::new("k1").will(Answer::Hang);
    let start = Instant::now();
    poller(&server, &sink);
    sink.refreshed().await;
    assert_eq!(start.elapsed(), secs(10.0));
    assert_eq!(
        sink.status().poll.last_error.unwrap(),
        "http://registry/list: no complete answer within 10s"
    );
    assert_eq!(status_of(&layer, "alice").await, 200);
    assert_eq!(status_of(&layer, "mallory").await, 401);
}

#[tokio::test(start_paused = true)]
async fn failures_back_off_up_to_the_fast_pace_and_recover() {
    let (layer, sink) = RevocationLayer::pair(by_header);
    let mut server = Server::new("k1");
    for _ in 0..12 {
        server = server.will(Answer::Fail);
    }
    let server = server.will_list("k1:100:");
    let start = Instant::now();
    poller(&server, &sink);
    until("failed twelve times", || sink.status().poll.failures == 12).await;
    let fetches = server.fetches("/list", start);
    let pauses: Vec<_> = fetches.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().all(|pause| *pause >= FETCH_GAP), "{pauses:?}");
    assert!(pauses[0] <= secs(2.1), "{pauses:?}");
    // Full jitter adds up to the delay itself.
    assert!(pauses.iter().all(|pause| *pause <= DEFAULT_FAST_PACE * 2), "{pauses:?}");
    assert!(pauses[10] >= DEFAULT_FAST_PACE, "{pauses:?}");
    assert!(sink.status().poll.last_error.unwrap().contains("connection refused"));
    until("recovered", || sink.is_ready()).await;
    assert_eq!(sink.status().poll.last_error, None);
    assert_eq!(sink.status().poll.failures, 0);
    assert_eq!(status_of(&layer, "alice").await, 200);
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured_even_against_requests() {
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let busy = Answer::Reply(
        StatusCode::TOO_MANY_REQUESTS,
        vec![("retry-after", "120".to_owned())],
        String::new(),
    );
    let server = Server::new("k1").will(busy).will_list("k1:100:");
    let start = Instant::now();
    poller(&server, &sink);
    sink.refreshed().await;
    assert_eq!(
        sink.status().poll.last_error.unwrap(),
        "http://registry/list: status 429"
    );
    sink.refreshed().await;
    let fetches = server.fetches("/list", start);
    assert_eq!(fetches.len(), 2);
    assert!(fetches[1] >= secs(120.0), "{fetches:?}");
    assert!(sink.is_ready());
}

#[tokio::test(start_paused = true)]
async fn failures_that_follow_a_success_back_off_from_the_start() {
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let mut server = Server::new("k1");
    for _ in 0..8 {
        server = server.will(Answer::Fail);
    }
    let server = server.will_list("k1:100:").will(Answer::Fail);
    let start = Instant::now();
    poller(&server, &sink);
    until("failed again", || server.fetches("/list", start).len() == 11).await;
    let fetches = server.fetches("/list", start);
    assert!(fetches[10] - fetches[9] <= FETCH_GAP * 2, "{fetches:?}");
}

#[tokio::test(start_paused = true)]
async fn no_two_pauses_are_alike() {
    for answer in [
        Answer::Fail,
        Answer::Reply(StatusCode::OK, Vec::new(), "k1:100:".to_owned()),
    ] {
        let (_layer, sink) = RevocationLayer::pair(by_header);
        let server = Server::new("k1").will(answer);
        let start = Instant::now();
        poller(&server, &sink);
        until("enough fetches", || server.fetches("/list", start).len() == 20).await;
        // The first are short, and the clock of these tests ticks in milliseconds.
        let fetches = &server.fetches("/list", start)[10..];
        let mut pauses: Vec<_> = fetches.windows(2).map(|pair| pair[1] - pair[0]).collect();
        pauses.sort_unstable();
        pauses.dedup();
        assert!(pauses.len() > 5, "{pauses:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_the_server_asked_for_outlasts_the_feed_but_not_a_quarter_of_an_hour() {
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let busy = |secs: &str| {
        let headers = vec![("retry-after", secs.to_owned())];
        Answer::Reply(StatusCode::SERVICE_UNAVAILABLE, headers, String::new())
    };
    let server = Server::new("k1")
        .will(busy("120"))
        .will(busy("18446744073709551615"))
        .will_list("k1:100:");
    let start = Instant::now();
    sink.set_feed(FeedState::Live);
    poller(&server, &sink);
    until("the first excuse", || sink.status().poll.failures == 1).await;
    for state in [FeedState::Down, FeedState::Live, FeedState::Down] {
        sink.set_feed(state);
        tokio::time::sleep(secs(1.0)).await;
    }
    sink.refreshed().await;
    sink.refreshed().await;
    let fetches = server.fetches("/list", start);
    assert_eq!(fetches.len(), 3, "{fetches:?}");
    assert!(fetches[1] >= secs(120.0), "{fetches:?}");
    let pause = fetches[2] - fetches[1];
    assert!(pause >= secs(900.0) && pause <= secs(901.0), "{pause:?}");
}

#[tokio::test(start_paused = true)]
async fn asks_conditionally_and_takes_not_modified_for_confirmation() {
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let tagged = vec![
        ("etag", "\"v1\"".to_owned()),
        ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT".to_owned()),
    ];
    let server = Server::new("k1")
        .will(Answer::Reply(StatusCode::OK, tagged, "k1:100:mallory".to_owned()))
        .will(Answer::Reply(StatusCode::NOT_MODIFIED, Vec::new(), String::new()));
    poller(&server, &sink);
    sink.refreshed().await;
    assert!(!server.last_request().headers().contains_key("if-none-match"));
    tokio::time::sleep(secs(5.0)).await;
    sink.refreshed().await;
    assert_eq!(server.last_request().headers()["if-none-match"], "\"v1\"");
    let status = sink.status();
    assert_eq!(status.poll.last_error, None);
    assert!(status.poll.last_success_ms_ago.unwrap() < 1_000);
    assert!(status.snapshot.unwrap().age_ms < 1_000);
}

#[tokio::test(start_paused = true)]
async fn asks_by_date_where_there_is_no_tag() {
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let dated = vec![("last-modified", date.to_owned())];
    let server = Server::new("k1").will(Answer::Reply(StatusCode::OK, dated, "k1:100:".to_owned()));
    poller(&server, &sink);
    sink.refreshed().await;
    sink.refreshed().await;
    assert_eq!(server.last_request().headers()["if-modified-since"], date);
}

/// Otherwise a `304` would confirm the installed list as the newest, which the refused one showed that it is not.
#[tokio::test(start_paused = true)]
async fn a_list_that_was_refused_is_asked_for_again_as_a_whole() {
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let tagged = |tag: &str, list: &str| Answer::Reply(StatusCode::OK, vec![("etag", tag.to_owned())], list.to_owned());
    let server = Server::new("k1")
        .will(tagged("\"v1\"", "k1:100:"))
        .will(tagged("\"v2\"", "rubbish"))
        .will(tagged("\"v2\"", "rubbish"));
    poller(&server, &sink);
    for expected in [None, Some("\"v1\""), Some("\"v1\"")] {
        sink.refreshed().await;
        let asked = server.last_request();
        let tag = asked.headers().get("if-none-match").map(|tag| tag.to_str().unwrap());
        assert_eq!(tag, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_has_expired_is_not_confirmed_but_asked_for_as_a_whole() {
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let tagged = vec![("etag", "\"v1\"".to_owned())];
    let server = Server::new("k1")
        .will(Answer::Reply(StatusCode::OK, tagged, "k1:100:mallory:200".to_owned()))
        .will(Answer::Reply(StatusCode::NOT_MODIFIED, Vec::new(), String::new()));
    poller(&server, &sink);
    sink.refreshed().await;
    tokio::time::sleep(secs(5.0)).await;
    sink.refreshed().await;
    let status = sink.status();
    assert!(!server.last_request().headers().contains_key("if-none-match"));
    assert!(status.poll.last_error.unwrap().contains("304"));
    assert!(status.snapshot.unwrap().age_ms >= 5_000, "it is as old as it was");
}

#[tokio::test(start_paused = true)]
async fn a_part_of_a_list_is_no_list() {
    for status in [StatusCode::PARTIAL_CONTENT, StatusCode::ACCEPTED, StatusCode::FOUND] {
        let (_layer, sink) = RevocationLayer::pair(by_header);
        let server = Server::new("k1").will(Answer::Reply(status, Vec::new(), "k1:100:".to_owned()));
        poller(&server, &sink);
        sink.refreshed().await;
        assert!(!sink.is_ready(), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn old_keys_do_while_new_ones_cannot_be_had() {
    let (layer, sink) = RevocationLayer::pair(by_header);
    let server = Server::new("k1").will_list("k1:100:").will_list("k1:101:mallory");
    let start = Instant::now();
    poller(&server, &sink);
    sink.refreshed().await;
    server.0.lock().unwrap().keys_are_away = true;
    tokio::time::sleep(KEYS_MAX_AGE).await;
    sink.refreshed().await;
    assert!(server.fetches("/keys", start).len() >= 2);
    let status = sink.status();
    assert_eq!(status.poll.last_error, None);
    // But somebody has to hear of it.
    let keys = status.poll.signing_keys.unwrap();
    assert_eq!(keys.count, 1);
    let ago = keys.fetched_ms_ago.unwrap();
    assert!((300_000..310_000).contains(&ago), "{ago}");
    let error = "http://registry/keys: request failed: connection refused";
    assert_eq!(keys.last_error.as_deref(), Some(error));
    let [concern] = &status.concerns[..] else {
        panic!("one: {:?}", status.concerns)
    };
    assert_eq!(concern.code, ConcernCode::SigningKeysAging);
    assert!(
        concern.words.contains("were last fetched 5 min ago") && concern.words.ends_with(error),
        "{concern:?}"
    );
    assert_eq!(status_of(&layer, "mallory").await, 401);
}

#[tokio::test(start_paused = true)]
async fn what_is_amiss_is_told_before_anybody_is_refused_and_no_longer_than_it_is() {
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let server = Server::new("k1").will_list("k1:100:").will(Answer::Fail);
    server.0.lock().unwrap().keys_are_away = true;
    poller(&server, &sink);
    let readyz = || async {
        let readyz = Readyz::new(sink.clone()).with_need(Need::SigningKeys);
        let response = tower::ServiceExt::oneshot(readyz, Request::new(String::new()))
            .await
            .unwrap();
        (response.status().as_u16(), response.into_body())
    };
    let codes = |sink: &EventSink| -> Vec<_> { sink.status().concerns.iter().map(|it| it.code).collect() };
    assert_eq!(codes(&sink), [ConcernCode::NoList]);
    sink.refreshed().await;
    assert_eq!(codes(&sink), [ConcernCode::NoList, ConcernCode::NoSigningKeys]);
    let (code, text) = readyz().await;
    assert_eq!(code, 503);
    assert!(
        text.contains("\n- no-signing-keys: ") && !text.contains("\nalso\n"),
        "{text}"
    );
    server.0.lock().unwrap().keys_are_away = false;
    until("all is well", || codes(&sink).is_empty()).await;
    assert_eq!(readyz().await.0, 200);
    assert_eq!(sink.status().poll.signing_keys.unwrap().last_error, None);
    until("polls fail", || sink.status().poll.failures == 3).await;
    let concerns = sink.status().concerns;
    assert_eq!(codes(&sink), [ConcernCode::ListAging]);
    let words = &concerns[0].words;
    assert!(
        words.contains("good for another") && words.contains("The last 3 polls failed: http://registry/list"),
        "{words}"
    );
    until("too old", || !sink.is_ready()).await;
    assert_eq!(
        codes(&sink),
        [ConcernCode::ListStale, ConcernCode::SigningKeysAging][..1]
    );
}

#[tokio::test(start_paused = true)]
async fn an_unasked_for_not_modified_is_a_failure() {
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let server = Server::new("k1").will(Answer::Reply(StatusCode::NOT_MODIFIED, Vec::new(), String::new()));
    poller(&server, &sink);
    sink.refreshed().await;
    assert!(!sink.is_ready());
    assert!(sink.status().poll.last_error.unwrap().contains("304"));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_is_looked_for_once_and_not_more_often_than_the_gap() {
    let (layer, sink) = RevocationLayer::pair(by_header);
    let server = Server::new("k1").will_list("k1:100:").will_list("k2:101:mallory");
    let start = Instant::now();
    poller(&server, &sink);
    sink.refreshed().await;
    assert_eq!(server.fetches("/keys", start).len(), 1);
    // Rotated, and the new key isn't published yet.
    for _ in 0..30 {
        // A feed that comes back asks for the list, and not for the keys.
        sink.set_feed(FeedState::Down);
        sink.set_feed(FeedState::Live);
        tokio::time::sleep(FETCH_GAP).await;
    }
    let fetches = server.fetches("/keys", start);
    assert!(fetches.len() >= 3, "{fetches:?}");
    assert!(
        fetches.windows(2).all(|pair| pair[1] - pair[0] >= KEY_FETCH_GAP),
        "{fetches:?}"
    );
    assert_eq!(
        sink.status().poll.last_error.unwrap(),
        "http://registry/list: document refused: header.kid names an unknown key: k2"
    );
    assert_eq!(status_of(&layer, "mallory").await, 200);
    server.0.lock().unwrap().keys = "k1,k2".to_owned();
    until("the new key is found", || sink.status().poll.last_error.is_none()).await;
    assert_eq!(status_of(&layer, "mallory").await, 401);
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_anew_by_age_and_by_request_but_not_for_every_forged_token() {
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let server = Server::new("k1").will_list("k1:100:");
    let start = Instant::now();
    let keys = poller(&server, &sink);
    assert!(keys.current().is_empty());
    sink.refreshed().await;
    assert!(keys.current().contains("k1"));
    server.0.lock().unwrap().keys = "k1,k2".to_owned();
    tokio::time::sleep(KEY_FETCH_GAP).await;
    for _ in 0..1_000 {
        keys.refetch();
        tokio::task::yield_now().await;
    }
    until("the new key is there", || keys.current().contains("k2")).await;
    assert_eq!(server.fetches("/keys", start).len(), 2);
    until("fetched by age", || server.fetches("/keys", start).len() == 3).await;
    let fetches = server.fetches("/keys", start);
    assert!(fetches[1] <= KEY_FETCH_GAP * 2, "asked for, not by age: {fetches:?}");
    assert!(fetches[2] - fetches[1] >= KEYS_MAX_AGE, "{fetches:?}");
}

/// A key that leaked was believed for up to 16 minutes after its issuer withdrew it, though the list was fetched by request.
#[tokio::test(start_paused = true)]
async fn a_key_that_was_withdrawn_is_believed_no_more_once_the_host_asks_for_a_fetch() {
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let server = Server::new("leaked,next").will_list("leaked:100:");
    let keys = poller(&server, &sink);
    sink.refreshed().await;
    sink.set_feed(FeedState::Live);
    assert!(keys.current().contains("leaked"));
    server.0.lock().unwrap().keys = "next".to_owned();
    tokio::time::sleep(Duration::from_secs(2)).await;
    sink.refreshed().await;
    assert!(!keys.current().contains("leaked"));
}

/// Whoever forges tokens while the keys hang had a say in when the list was fetched.
#[tokio::test(start_paused = true)]
async fn wishes_for_keys_do_not_hold_up_the_list() {
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let server = Server::new("k1").will_list("k1:100:");
    let start = Instant::now();
    let keys = poller(&server, &sink);
    sink.refreshed().await;
    server.0.lock().unwrap().keys_hang = true;
    until("enough fetches", || {
        keys.refetch();
        server.fetches("/list", start).len() == 30
    })
    .await;
    // A pace, a timeout that ended just after it, and another for keys that had become too old.
    let longest = DEFAULT_FAST_PACE.mul_f64(1.1) + secs(2.0 * 10.0);
    let fetches = server.fetches("/list", start);
    assert!(
        fetches.windows(2).all(|pair| pair[1] - pair[0] <= longest),
        "{fetches:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn no_list_yet_is_healthy_until_a_signed_one_was_seen() {
    let (layer, sink) = RevocationLayer::pair(by_header);
    let none = Answer::Reply(StatusCode::NOT_FOUND, Vec::new(), "none yet".to_owned());
    let other = Answer::Reply(StatusCode::NOT_FOUND, Vec::new(), "<html>".to_owned());
    let server = Server::new("k1")
        .will(other)
        .will(none.clone())
        .will_list("k1:100:mallory")
        .will(none);
    poller(&server, &sink);
    sink.refreshed().await;
    assert!(!sink.is_ready(), "a 404 of unknown meaning is no list");
    sink.refreshed().await;
    assert!(sink.is_ready());
    let status = sink.status();
    assert_eq!(status.snapshot.unwrap().iat, None);
    assert_eq!((status.poll.last_error, status.poll.failures), (None, 0));
    sink.refreshed().await;
    assert_eq!(status_of(&layer, "mallory").await, 401);
    sink.refreshed().await;
    assert_eq!(
        status_of(&layer, "mallory").await,
        401,
        "an unsigned answer removes nothing"
    );
    assert!(sink.status().poll.last_error.unwrap().contains("unsigned"));
}

#[tokio::test(start_paused = true)]
async fn a_rollback_or_garbage_changes_nothing() {
    let (layer, sink) = RevocationLayer::pair(by_header);
    let server = Server::new("k1")
        .will_list("k1:100:mallory")
        .will_list("k1:99:")
        .will_list("<html>502</html>")
        .will_list("k1:9999999999:");
    poller(&server, &sink);
    sink.refreshed().await;
    for expected in ["rollback", "body does not have three parts", "from the future"] {
        sink.refreshed().await;
        let error = sink.status().poll.last_error.unwrap();
        assert!(error.contains(expected), "{error}");
        assert_eq!(status_of(&layer, "mallory").await, 401);
        assert_eq!(status_of(&layer, "alice").await, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn keys_without_end_are_refused() {
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let server = Server::new(&format!("k1,{}", "x".repeat(64 * 1024))).will_list("k1:100:");
    poller(&server, &sink);
    sink.refreshed().await;
    assert_eq!(
        sink.status().poll.last_error.unwrap(),
        "http://registry/keys: body is larger than 65536 bytes"
    );
}

#[tokio::test(start_paused = true)]
async fn of_an_error_little_is_read() {
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let endless = Answer::Reply(StatusCode::NOT_FOUND, Vec::new(), "x".repeat(64 * 1024 + 1));
    let server = Server::new("k1").will(endless);
    poller(&server, &sink);
    sink.refreshed().await;
    assert_eq!(
        sink.status().poll.last_error.unwrap(),
        "http://registry/list: body is larger than 65536 bytes"
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_beyond_the_cap_is_refused() {
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let server = Server::new("k1").will_list(&format!("k1:100:{}", "x".repeat(1_000)));
    let uri = |path| Uri::from_static(path);
    let poller = Poller::new(
        server.client(),
        Plain,
        uri("http://r/list"),
        uri("http://r/keys"),
        sink.clone(),
    );
    tokio::spawn(poller.with_size_cap(1_000).run());
    sink.refreshed().await;
    assert_eq!(
        sink.status().poll.last_error.unwrap(),
        "http://r/list: body is larger than 1000 bytes"
    );
}

/// It used to show its addresses as they are.
#[test]
fn shows_nothing_secret_of_its_addresses() {
    let uri =
        |path| Uri::from_maybe_shared(format!("https://user:password@registry.example/{path}?key=secret")).unwrap();
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let poller = Poller::new((), Plain, uri("list"), uri("keys"), sink);
    let shown = format!("{poller:?}");
    assert!(
        shown.contains("https://registry.example/list") && shown.contains("https://registry.example/keys"),
        "{shown}"
    );
    assert!(!shown.contains("password") && !shown.contains("secret"), "{shown}");
}
