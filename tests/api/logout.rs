//! The door for back-channel logouts.

use std::convert::Infallible;
use std::error::Error;
use std::future::{pending, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, LOCATION, RETRY_AFTER};
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Empty, Full};
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt};
use tower_revocation::doors::RelayStatements;
use tower_revocation::logout::{BackchannelLogout, LogoutEffect, LogoutPolicy};
use tower_revocation::status::{ConcernCode, DoorStatus};
use tower_revocation::{
    Credential, EventSink, Identity, Key, ListPolicy, RevocationLayer, Statement, StatementKind, Timestamp, Verdict,
};

use crate::token_issuer::{ISSUER, TokenIssuer, signed};

const HEADER: &str = r#"{"alg":"EdDSA","kid":"k1","typ":"logout+jwt"}"#;
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// An issuer, and a door that knows it.
struct World {
    issuer: TokenIssuer,
    sink: EventSink,
    door: BackchannelLogout,
    /// Sends a request through the layer that the door feeds.
    layer: AnyLayer,
}

type AnyLayer = Box<dyn Fn(Request<Empty<Bytes>>)>;

fn world(change: impl FnOnce(LogoutPolicy) -> LogoutPolicy) -> World {
    let issuer = TokenIssuer::new(&[1]);
    let (layer, sink) =
        RevocationLayer::pair(
            |request: &Request<Empty<Bytes>>| match request.headers().get("session") {
                Some(session) => Identity::from(Credential::from(Key::session(session.to_str().unwrap()))),
                None => Identity::from(Credential::from(Key::subject("somebody"))),
            },
        );
    sink.configure(|config| config.with_lists(ListPolicy::NotUsed));
    let layer: AnyLayer = Box::new(move |request| {
        let admitted = tower::service_fn(|_: Request<Empty<Bytes>>| {
            ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
        });
        drop(layer.layer(admitted).oneshot(request).now_or_never().unwrap());
    });
    let door = BackchannelLogout::new(
        sink.clone(),
        issuer.keys(),
        change(LogoutPolicy::new(ISSUER, ["web", "app"])),
    );
    World {
        issuer,
        sink,
        door,
        layer,
    }
}

fn now() -> u64 {
    Timestamp::now().as_unix_secs()
}

/// The claims of a logout of the session `s` of `alice`.
fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": "web",
        "iat": now(),
        "exp": now() + 120,
        "jti": "j",
        "sub": "alice",
        "sid": "s",
        "events": { EVENT: {} },
    })
}

/// The claims, but for some: null takes one away.
fn but(changes: Value) -> Value {
    let mut claims = claims();
    let members = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(members.remove(name)),
            value => drop(members.insert(name.clone(), value.clone())),
        }
    }
    claims
}

fn token(claims: &Value) -> String {
    signed(1, HEADER, &claims.to_string())
}

fn post(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let request = Request::post("/backchannel-logout").header("content-type", "application/x-www-form-urlencoded");
    request.body(Full::new(body.into())).unwrap()
}

fn form(token: &str) -> Request<Full<Bytes>> {
    post(format!("logout_token={token}"))
}

impl World {
    async fn send(&self, request: Request<Full<Bytes>>) -> Response<Bytes> {
        let mut door = self.door.clone();
        let response = door.call(request).await.unwrap();
        let (head, body) = response.into_parts();
        Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    }

    /// Sends a token. Returns the status, and what is wrong.
    async fn tell(&self, token: &str) -> (StatusCode, String) {
        let response = self.send(form(token)).await;
        let problem = match response.body().is_empty() {
            true => String::new(),
            false => {
                let body: Value = serde_json::from_slice(response.body()).unwrap();
                body["error_description"].as_str().unwrap().to_owned()
            }
        };
        (response.status(), problem)
    }

    fn is_refused(&self, keys: impl IntoIterator<Item = Key>, iat: u64) -> bool {
        let mut credential = Credential::new().with_issued_at(Timestamp::from_unix_secs(iat));
        keys.into_iter().for_each(|key| credential.push(key));
        matches!(self.sink.decide(&credential), Verdict::Revoked(_))
    }

    fn counted(&self) -> DoorStatus {
        self.sink.status().doors.remove(0)
    }

    fn concerns(&self) -> Vec<ConcernCode> {
        self.sink.status().concerns.iter().map(|concern| concern.code).collect()
    }
}

/// §2.8, and LOGOUT point 1: 200 and nothing else; Keycloak loses the next logout on a connection that was kept.
#[tokio::test]
async fn a_logout_is_answered_by_200_and_is_in_force() {
    let world = world(|policy| policy);
    let told = token(&claims());
    assert!(!world.is_refused([Key::session("s")], now()));
    for _ in 0..2 {
        let response = world.send(form(&told)).await;
        assert_eq!(response.status(), StatusCode::OK, "the same again is no error");
        assert!(response.body().is_empty());
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(response.headers()[CONNECTION], "close");
        assert!(!response.headers().contains_key(LOCATION));
    }
    assert!(world.is_refused([Key::session("s")], now() - 1));
    assert!(
        !world.is_refused([Key::session("s")], now() + 2),
        "cut off, and not blocked"
    );
    assert!(!world.is_refused([Key::subject("alice")], now() - 1));
    assert_eq!(world.counted().taken_in, 2);
    assert_eq!(world.counted().name, format!("back-channel logout of {ISSUER}"));
    let mut request = form(&told);
    *request.version_mut() = Version::HTTP_2;
    assert!(
        !world.send(request).await.headers().contains_key(CONNECTION),
        "there it is an error"
    );
}

#[tokio::test]
async fn the_form_may_have_other_parameters() {
    let world = world(|policy| policy);
    let told = token(&claims());
    for body in [
        format!("logout_token={told}"),
        format!("state=1&logout_token={told}&x=%20"),
        format!("logout_token={}", told.replace('.', "%2E")),
    ] {
        assert_eq!(world.send(post(body)).await.status(), StatusCode::OK);
    }
    for (body, problem) in [
        (String::new(), "logout_token is missing in the form"),
        (told.clone(), "logout_token is missing in the form"),
        (
            format!("logout_token={told}&logout_token={told}"),
            "logout_token is there twice",
        ),
        ("logout_token=".to_owned(), "token does not have three parts"),
    ] {
        let response = world.send(post(body)).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(
            body,
            json!({ "error": "invalid_request", "error_description": problem })
        );
    }
}

/// §2.6, one row for each step.
#[tokio::test]
async fn what_can_never_be_right_is_answered_by_400_and_does_nothing() {
    let world = world(|policy| policy);
    for (changes, problem) in [
        (
            json!({ "iss": "https://other.example" }),
            "iss is not the expected issuer",
        ),
        (json!({ "iss": null }), "iss is missing"),
        (json!({ "iss": [ISSUER] }), "iss is not a string with something in it"),
        (json!({ "aud": "other" }), "aud is none of the expected clients"),
        (json!({ "aud": [] }), "aud is none of the expected clients"),
        (json!({ "aud": null }), "aud is missing"),
        (json!({ "aud": 7 }), "aud is neither a string nor an array of strings"),
        (json!({ "iat": null }), "iat is missing"),
        (json!({ "iat": "now" }), "iat is not a date in seconds since the epoch"),
        (json!({ "exp": now() - 61 }), "exp has passed"),
        (json!({ "exp": null }), "exp is missing"),
        (json!({ "exp": 1e300 }), "exp is not a date in seconds since the epoch"),
        (json!({ "sid": null, "sub": null }), "sid is missing, and so is sub"),
        (json!({ "sid": 7 }), "sid is not a string with something in it"),
        (json!({ "sub": "" }), "sub is not a string with something in it"),
        (json!({ "events": null }), "events is missing: it is no logout token"),
        (json!({ "events": [EVENT] }), "events is not an object"),
        (json!({ "events": {} }), "events lacks the event of back-channel logout"),
        (
            json!({ "events": { "https://schemas.openid.net/event/backchannel-logout": {} } }),
            "events lacks the event of back-channel logout",
        ),
        (
            json!({ "events": { EVENT: true } }),
            "events has no object for the event of back-channel logout",
        ),
        (json!({ "nonce": "n" }), "nonce is there: it is no logout token"),
    ] {
        let claims = but(changes);
        assert_eq!(
            world.tell(&token(&claims)).await,
            (StatusCode::BAD_REQUEST, problem.to_owned()),
            "{claims}"
        );
    }
    let null = claims().to_string().replacen('{', r#"{"nonce":null,"#, 1);
    assert_eq!(
        world.tell(&signed(1, HEADER, &null)).await.1,
        "nonce is there: it is no logout token"
    );
    let twice = claims().to_string().replacen('{', r#"{"sid":"other","#, 1);
    assert!(
        world
            .tell(&signed(1, HEADER, &twice))
            .await
            .1
            .starts_with("claims are not readable: duplicate field")
    );
    for (header, problem) in [
        (r#"{"alg":"none","kid":"k1"}"#, "header.alg is not EdDSA or ES256"),
        (
            r#"{"alg":"HS256","kid":"k1"}"#,
            "header.alg is HS256, whose key is a secret of each client",
        ),
        (r#"{"alg":"RS256","kid":"k1"}"#, "header.kid names an unknown key: k1"),
        (
            r#"{"alg":"EdDSA","kid":"k1","typ":"at+jwt"}"#,
            "header.typ is not logout+jwt or JWT",
        ),
        (
            r#"{"alg":"EdDSA","kid":"k1","typ":"secevent+jwt"}"#,
            "header.typ is not logout+jwt or JWT",
        ),
        (
            r#"{"alg":"EdDSA","kid":"k1","crit":["x"]}"#,
            "header.crit demands an extension",
        ),
        (r#"{"alg":"EdDSA","kid":"k2"}"#, "header.kid names an unknown key: k2"),
    ] {
        let (status, told) = world.tell(&signed(1, header, &claims().to_string())).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{header}");
        assert!(told.starts_with(problem), "{header}: {told}");
    }
    let forged = signed(2, HEADER, &claims().to_string());
    assert_eq!(
        world.tell(&forged).await,
        (StatusCode::BAD_REQUEST, "signature does not match".to_owned())
    );
    assert!(
        !world.is_refused([Key::session("s"), Key::subject("alice")], now() - 1),
        "nothing happened"
    );
    let counted = world.counted();
    assert_eq!(counted.taken_in, 0);
    assert_eq!(
        (
            counted.refused["iss"],
            counted.refused["events"],
            counted.refused["signature"]
        ),
        (3, 5, 1)
    );
}

#[tokio::test]
async fn what_issuers_really_send_is_taken() {
    let world = world(|policy| policy);
    for claims in [
        but(json!({ "aud": ["other", "app"] })),
        but(json!({ "exp": now() - 59 })),
        but(json!({ "iat": now() as f64 + 0.25 })),
        but(json!({ "events": { EVENT: {}, "revoke_offline_access": true } })),
        but(json!({ "events": { EVENT: { "more": 1 } }, "typ": "Logout", "unknown": [1] })),
        but(json!({ "sub": null })),
        but(json!({ "sid": null })),
        but(json!({ "jti": null })),
    ] {
        assert_eq!(
            world.tell(&token(&claims)).await,
            (StatusCode::OK, String::new()),
            "{claims}"
        );
    }
    for header in [
        r#"{"alg":"EdDSA","kid":"k1"}"#,
        r#"{"alg":"EdDSA","kid":"k1","typ":"JWT"}"#,
        r#"{"alg" : "EdDSA","typ" : "application/LOGOUT+JWT"}"#,
    ] {
        let told = signed(1, header, &claims().to_string());
        assert_eq!(world.tell(&told).await, (StatusCode::OK, String::new()), "{header}");
    }
    // Nobody is cut off in the future.
    let early = but(json!({ "iat": now() + 3_600, "sid": "later" }));
    assert_eq!(world.tell(&token(&early)).await.0, StatusCode::OK);
    assert!(world.is_refused([Key::session("later")], now() - 1));
    assert!(!world.is_refused([Key::session("later")], now() + 2));
}

#[tokio::test]
async fn only_a_post_of_bounded_size_is_looked_at() {
    let world = world(|policy| policy);
    let response = world
        .send(Request::get("/backchannel-logout").body(Full::default()).unwrap())
        .await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()[ALLOW], "POST");
    let response = world.send(post(vec![b'x'; 1024 * 1024])).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(world.issuer.asked().is_empty());
}

#[tokio::test]
async fn a_key_of_the_last_second_is_fetched_before_the_answer() {
    let world = world(|policy| policy);
    assert_eq!(world.tell(&token(&claims())).await.0, StatusCode::OK);
    world.issuer.set(|shared| shared.seeds = vec![2]);
    let told = signed(
        2,
        r#"{"alg":"EdDSA","kid":"k2"}"#,
        &but(json!({ "sid": "s2" })).to_string(),
    );
    assert_eq!(world.tell(&told).await.0, StatusCode::OK);
    assert!(world.is_refused([Key::session("s2")], now() - 1));
}

#[tokio::test]
async fn without_keys_the_issuer_is_asked_to_come_again_and_the_operator_hears_of_it() {
    let world = world(|policy| policy);
    world.issuer.set(|shared| shared.is_down = true);
    let response = world.send(form(&token(&claims()))).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[RETRY_AFTER], "2");
    assert!(world.concerns().contains(&ConcernCode::DoorLost));
    assert_eq!(world.counted().refused["not-now"], 1);
    world.issuer.set(|shared| shared.is_down = false);
    assert_eq!(
        world.tell(&token(&claims())).await.0,
        StatusCode::OK,
        "it was not held against the token"
    );
}

#[tokio::test]
async fn a_refusal_of_what_the_issuer_signed_is_a_concern_and_garbage_is_none() {
    let world = world(|policy| policy);
    world.tell("garbage").await;
    world.tell(&signed(2, HEADER, &claims().to_string())).await;
    assert!(!world.concerns().contains(&ConcernCode::DoorLost));
    world.tell(&token(&but(json!({ "aud": "other" })))).await;
    let status = world.sink.status();
    let concern = status
        .concerns
        .iter()
        .find(|concern| concern.code == ConcernCode::DoorLost)
        .unwrap();
    let words = format!("What the back-channel logout of {ISSUER} told ");
    assert!(concern.words.starts_with(&words), "{concern}");
    assert!(
        concern.words.contains("aud is none of the expected clients"),
        "{concern}"
    );
}

/// What happens to the statements that a door passes on.
#[derive(Clone, Copy)]
enum Fate {
    Hangs,
    IsLost,
    IsRelayed,
}

struct Relay(Fate, Arc<Mutex<Vec<Statement>>>);

impl RelayStatements for Relay {
    async fn relay(&self, statements: Vec<Statement>) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.1.lock().unwrap().extend(statements);
        match self.0 {
            Fate::Hangs => pending().await,
            Fate::IsLost => Err("the broker is away".into()),
            Fate::IsRelayed => Ok(()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_logout_that_is_not_passed_on_is_in_force_here_and_answered_by_503() {
    for (fate, status, problem) in [
        (Fate::IsRelayed, StatusCode::OK, ""),
        (Fate::IsLost, StatusCode::SERVICE_UNAVAILABLE, "the broker is away"),
        (
            Fate::Hangs,
            StatusCode::SERVICE_UNAVAILABLE,
            "the logout is in force here, and could not be kept or passed on in time",
        ),
    ] {
        let mut world = world(|policy| policy.with_effect(LogoutEffect::ByCredential));
        let relayed = Arc::default();
        world.door = world.door.with_relay(Relay(fate, Arc::clone(&relayed)));
        let started = tokio::time::Instant::now();
        assert_eq!(world.tell(&token(&claims())).await, (status, problem.to_owned()));
        assert!(
            started.elapsed() <= Duration::from_secs(2),
            "the issuer gives up after 2.5 s"
        );
        assert!(world.is_refused([Key::session("s")], now() - 1));
        assert_eq!(
            world.concerns().contains(&ConcernCode::DoorLost),
            status != StatusCode::OK
        );
        let relayed = relayed.lock().unwrap();
        assert_eq!(relayed.len(), 2);
        assert!(
            relayed
                .iter()
                .all(|statement| statement.kind() == StatementKind::CutOff)
        );
    }
}

/// Hydra, as it comes: its logouts name the session alone, and no access token names one.
#[tokio::test]
async fn sessions_that_no_credential_names_are_a_concern() {
    let world = world(|policy| policy);
    let present = |session: Option<&str>| {
        let request = Request::get("/");
        let request = session
            .into_iter()
            .fold(request, |request, session| request.header("session", session));
        (world.layer)(request.body(Empty::new()).unwrap());
    };
    present(None);
    assert_eq!(world.sink.status().without_sessions, None, "nobody has to know");
    assert_eq!(world.tell(&token(&claims())).await.0, StatusCode::OK);
    for _ in 0..999 {
        present(None);
    }
    assert_eq!(world.sink.status().without_sessions, Some(999));
    assert!(!world.concerns().contains(&ConcernCode::WithoutSessions));
    present(None);
    assert!(world.concerns().contains(&ConcernCode::WithoutSessions));
    present(Some("another"));
    assert_eq!(world.sink.status().without_sessions, None);
    assert!(!world.concerns().contains(&ConcernCode::WithoutSessions));
}

/// A logout of the subject is no reason to look.
#[tokio::test]
async fn logouts_that_reach_subjects_need_no_sessions() {
    let world = world(|policy| policy.with_effect(LogoutEffect::Subject));
    assert_eq!(world.tell(&token(&claims())).await.0, StatusCode::OK);
    assert_eq!(world.sink.status().without_sessions, None);
    assert!(world.is_refused([Key::subject("alice")], now() - 1));
}

/// oidc-provider gives up after 2.5 s, and never tells it again.
#[tokio::test(start_paused = true)]
async fn an_issuer_that_waits_no_longer_has_told_it_all_the_same() {
    let mut world = world(|policy| policy);
    let relayed = Arc::default();
    world.door = world.door.with_relay(Relay(Fate::IsRelayed, Arc::clone(&relayed)));
    world.issuer.answers.forget_permits(tokio::sync::Semaphore::MAX_PERMITS);
    let mut door = world.door.clone();
    let telling = tokio::spawn(door.call(form(&token(&claims()))));
    while world.issuer.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    telling.abort();
    assert!(telling.await.unwrap_err().is_cancelled());
    assert!(!world.is_refused([Key::session("s")], now() - 1));
    // The keys take longer than an answer may: that is not held against the logout.
    tokio::time::advance(Duration::from_secs(4)).await;
    world.issuer.answers.add_permits(1);
    while relayed.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(world.is_refused([Key::session("s")], now() - 1));
}

#[tokio::test(start_paused = true)]
async fn keys_that_take_three_seconds_leave_time_to_pass_the_logout_on() {
    let mut world = world(|policy| policy);
    let relayed = Arc::default();
    world.door = world.door.with_relay(Relay(Fate::IsRelayed, Arc::clone(&relayed)));
    world.issuer.answers.forget_permits(tokio::sync::Semaphore::MAX_PERMITS);
    let answers = Arc::clone(&world.issuer.answers);
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        answers.add_permits(1);
    });
    assert_eq!(world.tell(&token(&claims())).await, (StatusCode::OK, String::new()));
    assert_eq!(relayed.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_hold_counts_from_the_logout_however_late_it_comes() {
    let world = world(|policy| policy.with_hold(Duration::from_secs(600)));
    let told = but(json!({ "iat": now() - 580 }));
    assert_eq!(world.tell(&token(&told)).await.0, StatusCode::OK);
    assert!(world.is_refused([Key::session("s")], now() + 5));
    // Later than that a date is none.
    assert!(!world.is_refused([Key::session("s")], now() + 50));
}
