//! Credentials that are not as they should be: dated in the future, without keys, or with more of them than anybody needs.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use http::header::AUTHORIZATION;
use tokio_test::{assert_pending, assert_ready, task};
use tower_revocation::identify::Jwt;
use tower_revocation::{
    ConcernCode, Credential, DomainConfig, Enforcement, EventSink, FutureIssuedAt, Identify, Identity, Key,
    Reinstatement, Revocation, RevocationLayer, Timestamp, Unreadable, Verdict, identify,
};

use crate::support::{Log, fresh_pair, list_of_now, presenting, send, words};

const HOUR: u64 = 3_600;
const MINUTE: Duration = Duration::from_secs(60);

fn now() -> u64 {
    Timestamp::now().as_unix_secs()
}

/// A token with these claims.
fn token(claims: &str) -> Request<String> {
    let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
    let request = Request::get("/").header(AUTHORIZATION, format!("Bearer {token}"));
    request.body(String::new()).unwrap()
}

/// A token of this user that was issued then.
fn issued(iat: u64) -> Request<String> {
    token(&format!(r#"{{"sub":"u-1","iat":{iat}}}"#))
}

fn jwt_pair(config: DomainConfig) -> (RevocationLayer<Jwt>, EventSink) {
    let (layer, sink) = RevocationLayer::pair_with(config, identify::jwt(AUTHORIZATION, "Bearer"));
    sink.install(list_of_now()).unwrap();
    (layer, sink)
}

async fn status<I>(layer: &RevocationLayer<I>, request: Request<String>) -> u16
where
    I: Identify<Request<String>> + Clone,
{
    send(layer, request).await.status().as_u16()
}

fn cut_off(sink: &EventSink, key: Key) {
    let revocation = Revocation::cut_off(key).at(Timestamp::now());
    sink.apply(revocation).unwrap().wait().unwrap();
}

/// How many warnings with these words came since the last call.
fn warnings(log: &Log, words: &str) -> usize {
    let lines = log.lines().into_iter();
    lines
        .filter(|line| line.contains("WARN") && line.contains(words))
        .count()
}

/// An issuer that writes `iat` in milliseconds once made tokens that no cut-off ever reached.
#[tokio::test]
async fn a_cut_off_reaches_tokens_dated_in_milliseconds() {
    let (layer, sink) = jwt_pair(DomainConfig::new());
    cut_off(&sink, Key::subject("u-1"));
    assert_eq!(status(&layer, issued(now() - HOUR)).await, 401, "control");
    assert_eq!(status(&layer, issued((now() - HOUR) * 1_000)).await, 401);
    assert_eq!(status(&layer, issued(now() + 2 * HOUR)).await, 401, "an hour ahead");
    assert_eq!(
        status(&layer, issued(u64::MAX)).await,
        401,
        "beyond every calendar: no date"
    );
    // Within the leeway, clocks may differ: that is a token from after the cut-off.
    assert_eq!(status(&layer, issued(now() + 20)).await, 200);
    let other = token(&format!(r#"{{"sub":"u-2","iat":{}}}"#, now() * 1_000));
    assert_eq!(status(&layer, other).await, 200, "nothing is known against this one");
    let doubtful = sink.status().doubtful;
    assert_eq!((doubtful.issued_in_future.count, doubtful.without_keys.count), (3, 0));
}

#[tokio::test]
async fn so_does_a_cut_off_of_everything_and_a_lifted_block() {
    let (layer, sink) = jwt_pair(DomainConfig::new());
    let milliseconds = || issued(now() * 1_000);
    assert_eq!(status(&layer, milliseconds()).await, 200);
    let (blocked, lifted) = (
        Timestamp::from_unix_secs(now() - 20),
        Timestamp::from_unix_secs(now() - 10),
    );
    let subject = Key::subject("u-1");
    sink.apply(Revocation::block(subject).at(blocked))
        .unwrap()
        .wait()
        .unwrap();
    sink.apply(Reinstatement::of(subject, lifted)).unwrap().wait().unwrap();
    assert_eq!(status(&layer, milliseconds()).await, 401);
    assert_eq!(status(&layer, issued(now())).await, 200, "a new token");
    let (layer, sink) = jwt_pair(DomainConfig::new());
    cut_off(&sink, Key::everything());
    assert_eq!(status(&layer, milliseconds()).await, 401);
}

/// The leeway is the domain's, and may change.
#[tokio::test]
async fn a_date_within_the_leeway_counts() {
    let (layer, sink) = jwt_pair(DomainConfig::new());
    cut_off(&sink, Key::subject("u-1"));
    let ahead = || issued(now() + HOUR);
    assert_eq!(status(&layer, ahead()).await, 401);
    sink.configure(|config| config.with_leeway(Duration::from_secs(2 * HOUR)));
    assert_eq!(status(&layer, ahead()).await, 200);
    sink.configure(|config| config.with_leeway(Duration::ZERO));
    assert_eq!(status(&layer, ahead()).await, 401);
}

#[tokio::test]
async fn what_is_admitted_and_what_is_no_request_is_reached_as_well() {
    let (layer, sink) = jwt_pair(DomainConfig::new());
    let credential = Credential::from(Key::subject("u-1")).with_issued_at(Timestamp::from_unix_secs(now() * 1_000));
    let guard = sink.guard(credential.clone());
    let mut wait = task::spawn(guard.revoked());
    assert_pending!(wait.poll());
    assert_eq!(sink.decide(&credential), Verdict::Admit);
    let streaming = send(&layer, issued(now() * 1_000)).await;
    assert_eq!(streaming.status(), 200);
    cut_off(&sink, Key::subject("u-1"));
    assert!(wait.is_woken());
    assert_ready!(wait.poll());
    assert!(matches!(sink.decide(&credential), Verdict::Revoked(_)));
    let cut = http_body_util::BodyExt::collect(streaming.into_body()).await;
    assert!(cut.is_err(), "the stream goes on");
    assert_eq!(sink.status().doubtful.issued_in_future.count, 1, "requests are counted");
}

#[tokio::test]
async fn by_choice_a_date_in_the_future_is_refused_also_where_unreadable_ones_pass() {
    let config = DomainConfig::new().with_future_issued_at(FutureIssuedAt::Refuse);
    let (layer, sink) = jwt_pair(config);
    let lenient = layer.clone().with_unreadable(Unreadable::Pass);
    for layer in [&layer, &lenient] {
        assert_eq!(status(layer, issued(now())).await, 200);
        assert_eq!(status(layer, issued(now() + 20)).await, 200);
        assert_eq!(status(layer, issued(now() * 1_000)).await, 401);
    }
    assert_eq!(status(&lenient, token("rubbish")).await, 200, "control");
    // Something that cannot be read beside it does not let it pass.
    let mut beside = issued(now() * 1_000);
    beside
        .headers_mut()
        .append(AUTHORIZATION, "Bearer rubbish".parse().unwrap());
    assert_eq!(status(&lenient, beside).await, 401);
    assert_eq!(sink.status().verdicts.unreadable, 4);
    let observing = layer.with_enforcement(Enforcement::Observe);
    assert_eq!(status(&observing, issued(now() * 1_000)).await, 200);
    assert_eq!(sink.status().would_refuse, 1);
    assert!(
        words(&sink, ConcernCode::IssuedInTheFuture)
            .unwrap()
            .contains("They are refused.")
    );
}

#[tokio::test(start_paused = true)]
async fn dates_in_the_future_are_said_in_words_and_in_the_log_until_they_stop() {
    let (log, _guard) = Log::collect();
    let logged = || warnings(&log, "issued in the future");
    let (layer, sink) = jwt_pair(DomainConfig::new());
    let concern = || words(&sink, ConcernCode::IssuedInTheFuture);
    assert_eq!(status(&layer, issued(now())).await, 200);
    assert_eq!((concern(), logged()), (None, 0));
    for _ in 0..3 {
        assert_eq!(status(&layer, issued(now() * 1_000)).await, 200);
        tokio::time::advance(MINUTE).await;
    }
    assert_eq!(
        concern().unwrap(),
        "Credentials were presented that say they were issued in the future, 3 since the start, the last 60 s ago. They cannot \
         show that they are newer than a cut-off, and any on their keys refuses them. Their issuer writes milliseconds in place \
         of seconds, or its clock and this one are more than 60 s apart."
    );
    assert_eq!(logged(), 1);
    tokio::time::advance(9 * MINUTE).await;
    assert!(concern().is_some());
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(concern(), None, "10 minutes after the last");
    assert_eq!(status(&layer, issued(now() * 1_000)).await, 200);
    assert!(concern().is_some());
    assert_eq!(logged(), 1, "again");
}

#[tokio::test(start_paused = true)]
async fn credentials_without_a_key_are_said_in_words_and_in_the_log_until_they_stop() {
    let (log, _guard) = Log::collect();
    let logged = || warnings(&log, "without any key");
    let (layer, sink) = jwt_pair(DomainConfig::new());
    let concern = || words(&sink, ConcernCode::WithoutKeys);
    assert_eq!(status(&layer, issued(now())).await, 200);
    assert_eq!(status(&layer, Request::new(String::new())).await, 200, "anonymous");
    assert_eq!((concern(), logged()), (None, 0));
    let presentation = || token(r#"{"vp":{"holder":"did:example:1"}}"#);
    assert_eq!(status(&layer, presentation()).await, 200);
    assert_eq!(status(&layer, presentation()).await, 200);
    assert_eq!(
        concern().unwrap(),
        "Credentials without any key were presented, 2 since the start, the last less than a second ago: only a revocation of \
         everything reaches them. What keys are made of, such as `jti` and `sub`, is not in them, or not where the layer looks."
    );
    assert_eq!(logged(), 1);
    tokio::time::advance(10 * MINUTE).await;
    assert!(concern().is_some());
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(concern(), None);
    let doubtful = sink.status().doubtful.without_keys;
    assert_eq!((doubtful.count, doubtful.last_ms_ago), (2, Some(600_001)));
    sink.apply(Revocation::block(Key::everything()))
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(status(&layer, presentation()).await, 401);
    assert_eq!(logged(), 1, "again");
}

/// A request that presents so many subjects, of which the last is mallory.
fn crowd(keys: usize) -> Request<String> {
    let mut subjects: Vec<String> = (1..keys).map(|i| format!("s{i}")).collect();
    subjects.push("mallory".to_owned());
    presenting(&subjects.join(" "))
}

#[tokio::test]
async fn more_keys_than_are_looked_at_are_refused_also_where_unreadable_ones_pass() {
    let (layer, sink) = fresh_pair();
    let lenient = layer.clone().with_unreadable(Unreadable::Pass);
    for layer in [&layer, &lenient] {
        assert_eq!(status(layer, crowd(Credential::MOST_KEYS)).await, 200);
        assert_eq!(status(layer, crowd(Credential::MOST_KEYS + 1)).await, 401);
        assert_eq!(status(layer, crowd(10_000)).await, 401);
    }
    assert_eq!(sink.status().verdicts.unreadable, 4);
    sink.apply(Revocation::block(Key::subject("mallory")))
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(status(&layer, crowd(Credential::MOST_KEYS)).await, 401);
    assert_eq!(sink.status().verdicts.revoked, 1, "the last one that is looked at");
}

/// What a reader could not read beside them changes nothing.
#[tokio::test]
async fn nor_does_something_unreadable_beside_too_many_keys_let_them_pass() {
    let partial = |request: &Request<String>| {
        let mut credential = Credential::new();
        credential.extend((0..1_000).map(|i| Key::subject(&i.to_string())));
        match request.body().is_empty() {
            true => Identity::Partial(credential, "rubbish"),
            false => Identity::Partial(Key::subject("alice").into(), "rubbish"),
        }
    };
    let (layer, sink) = RevocationLayer::pair(partial);
    sink.install(list_of_now()).unwrap();
    let layer = layer.with_unreadable(Unreadable::Pass);
    assert_eq!(status(&layer, Request::new("few".to_owned())).await, 200, "control");
    assert_eq!(status(&layer, Request::new(String::new())).await, 401);
}
