//! Events that are pushed over HTTP, to a router that has the service mounted.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::header::{ALLOW, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_stream::StreamExt;
use tower::ServiceExt;
use tower_revocation::format::revocation::RevocationEvents;
use tower_revocation::push::{DEFAULT_BODY_CAP, DEFAULT_BODY_TIMEOUT, Push, Secret};
use tower_revocation::{DecodeError, Decoded, EventSink, Key, Reinstatement, Revocation, RevocationLayer, Timestamp};

use crate::support::{ByHeader, fresh_pair, status_of};

/// `"<subject>"` as a JSON string revokes, `{…}` is none of our business, anything else cannot be read.
fn decode(message: &[u8]) -> Result<Decoded, DecodeError> {
    match serde_json::from_slice(message) {
        Ok(Value::String(subject)) => Ok(Decoded::from(Revocation::block(Key::subject(&subject)))),
        Ok(Value::Object(_)) => Ok(Decoded::Ignored("not ours".into())),
        Ok(_) => Err(DecodeError::new("message", "is not a subject")),
        Err(cause) => Err(DecodeError::new("message", "is not JSON").because(cause)),
    }
}

type ByDecode = fn(&[u8]) -> Result<Decoded, DecodeError>;

/// A layer, its sink, and what takes in pushes with the token `token`.
fn by_token() -> (RevocationLayer<ByHeader>, EventSink, Push<ByDecode>) {
    let (layer, sink) = fresh_pair();
    let push = Push::new(sink.clone(), decode as ByDecode, Secret::bearer("token"));
    (layer, sink, push)
}

/// Those with the key `key`.
fn by_signature() -> (RevocationLayer<ByHeader>, EventSink, Push<ByDecode>) {
    let (layer, sink) = fresh_pair();
    let push = Push::new(sink.clone(), decode as ByDecode, Secret::hmac_sha256("key"));
    (layer, sink, push)
}

fn sign(key: &str, body: impl AsRef<[u8]>) -> String {
    let mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap();
    let signature = mac.chain_update(body.as_ref()).finalize().into_bytes();
    let digits = signature.iter().map(|byte| format!("{byte:02x}"));
    format!("sha256={}", digits.collect::<String>())
}

fn with_token(body: impl Into<Body>) -> Request<Body> {
    let request = Request::post("/push").header(AUTHORIZATION, "Bearer token");
    request.body(body.into()).unwrap()
}

fn signed(key: &str, body: &'static str) -> Request<Body> {
    let request = Request::post("/push").header("x-signature-256", sign(key, body));
    request.body(body.into()).unwrap()
}

/// Sends a request to a router.
async fn send(push: &Push<ByDecode>, request: Request<Body>) -> Response<Body> {
    let app: Router = Router::new().route_service("/push", push.clone());
    app.oneshot(request).await.unwrap()
}

async fn status(push: &Push<ByDecode>, request: Request<Body>) -> StatusCode {
    send(push, request).await.status()
}

/// The status, and the body.
async fn answer(push: &Push<ByDecode>, request: Request<Body>) -> (u16, Value) {
    let response = send(push, request).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

/// A body that comes piece by piece, and says nothing of its length.
fn chunked(pieces: &[&'static str]) -> Body {
    let frames = pieces.iter().map(|piece| Ok::<_, Infallible>(Bytes::from(*piece)));
    Body::from_stream(tokio_stream::iter(frames.collect::<Vec<_>>()))
}

/// A request over HTTP/2. Over HTTP/1 what is answered before it was read is read all the same, and dropped: see `unread`.
fn over_http2(mut request: Request<Body>) -> Request<Body> {
    *request.version_mut() = Version::HTTP_2;
    request
}

/// A body that nobody may ask for.
fn untouchable() -> Body {
    let stream = tokio_stream::iter([()]).map(|()| -> Result<Bytes, Infallible> { panic!("the body was read") });
    Body::from_stream(stream)
}

#[tokio::test]
async fn what_is_pushed_is_in_force_when_it_is_answered() {
    let (layer, sink, push) = by_token();
    assert_eq!(status_of(&layer, "alice").await, 200);
    let (status, body) = answer(&push, with_token(r#""alice""#)).await;
    assert_eq!((status, body), (200, json!({"disposition": "applied"})));
    assert_eq!(status_of(&layer, "alice").await, 401);
    let (status, body) = answer(&push, with_token("{}")).await;
    assert_eq!(
        (status, body),
        (200, json!({"disposition": "ignored", "reason": "not ours"}))
    );
    let counts = sink.status().dispositions;
    assert_eq!((counts.applied, counts.ignored), (1, 1));
}

/// An event whose type, time and source are headers. A signature covers none of them: whoever saw a signed body could send it again as
/// another type.
#[tokio::test]
async fn an_event_in_binary_mode_is_read_unless_it_is_signed() {
    let (_layer, sink) = fresh_pair();
    let decode = || RevocationEvents::from_source("https://auth.example.com/ü");
    let event = |path: &str, data: &str| {
        Request::post(path)
            .header("ce-specversion", "1.0")
            .header("ce-id", "1")
            .header("ce-source", "https://auth.example.com/%C3%BC")
            .header("ce-type", "rs.tower-revocation.block")
            .header("ce-time", "2026-11-29T14:00:00.123Z")
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, "Bearer token")
            .header("x-signature-256", sign("key", data))
            .body(Body::from(data.to_owned()))
            .unwrap()
    };
    let push = |secret| Router::new().route_service("/push", Push::new(sink.clone(), decode(), secret));
    let data = r#"{"keys":[{"kind":"session","id":"s-1"}]}"#;
    let answer = push(Secret::hmac_sha256("key"))
        .oneshot(event("/push", data))
        .await
        .unwrap();
    assert_eq!(answer.status(), 422);
    assert_eq!(sink.status().overlay.entries, 0);
    let answer = push(Secret::bearer("token"))
        .oneshot(event("/push", data))
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(sink.status().overlay.entries, 1);
}

#[tokio::test]
async fn whoever_knows_no_secret_is_not_listened_to() {
    let (layer, _sink, push) = by_token();
    for (authorization, challenge) in [
        (None, "Bearer"),
        (Some("Basic token"), "Bearer"),
        (Some("Bearer nekot"), r#"Bearer error="invalid_token""#),
        (Some("Bearer "), r#"Bearer error="invalid_token""#),
        (Some("Bearer token2"), r#"Bearer error="invalid_token""#),
    ] {
        let mut request = Request::post("/push");
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        // A signature, too, is nothing to whoever expects a token.
        let request = request.header("x-signature-256", sign("token", "\"alice\""));
        let response = send(&push, over_http2(request.body(untouchable()).unwrap())).await;
        assert_eq!(response.status(), 401, "{authorization:?}");
        assert_eq!(response.headers()[WWW_AUTHENTICATE], challenge);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    }
    assert_eq!(status_of(&layer, "alice").await, 200);
}

#[tokio::test]
async fn a_signature_covers_all_of_the_body_and_nothing_is_looked_at_before() {
    let seen = Arc::new(Mutex::new(0));
    let (layer, sink) = fresh_pair();
    let counting = {
        let seen = Arc::clone(&seen);
        move |message: &[u8]| {
            *seen.lock().unwrap() += 1;
            decode(message)
        }
    };
    let push = Push::new(sink.clone(), counting, Secret::hmac_sha256("key"));
    let send = async |signature: String, body: &'static str| {
        let app: Router = Router::new().route_service("/push", push.clone());
        let request = Request::post("/push").header("x-signature-256", signature);
        let response = app.oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
        response.status()
    };
    let whole = r#"["alice","bob"]"#;
    for (signature, body) in [
        (sign("another", whole), whole),
        // Truncated, extended, and with a space that JSON would not mind.
        (sign("key", whole), r#"["alice"]"#),
        (sign("key", whole), r#"["alice","bob"] "#),
        (sign("key", whole), r#"["alice", "bob"]"#),
        (sign("key", whole), ""),
        (sign("key", whole).replace("sha256", "sha1"), whole),
        (sign("key", whole).split_off(1), whole),
        (String::new(), whole),
        // Not even that it cannot be read is said to a stranger.
        (sign("another", "["), "["),
    ] {
        assert_eq!(send(signature.clone(), body).await, 401, "{signature} {body}");
    }
    assert_eq!(*seen.lock().unwrap(), 0);
    assert_eq!(sink.status().dispositions.dead_letter, 0);
    assert_eq!(send(sign("key", whole), whole).await, 200);
    assert_eq!(*seen.lock().unwrap(), 2);
    assert_eq!(status_of(&layer, "bob").await, 401);
}

#[tokio::test]
async fn a_body_is_not_read_for_whoever_sends_no_signature() {
    let (_layer, _sink, push) = by_signature();
    let request = Request::post("/push").header(AUTHORIZATION, "Bearer key");
    assert_eq!(
        status(&push, over_http2(request.body(untouchable()).unwrap())).await,
        401
    );
}

#[tokio::test]
async fn a_sender_of_another_house_names_its_own_header() {
    let (_layer, _sink, push) = by_signature();
    let push = push.with_signature_header(HeaderName::from_static("x-hub-signature-256"));
    assert_eq!(status(&push, signed("key", "\"alice\"")).await, 401);
    let request = Request::post("/push").header("X-Hub-Signature-256", sign("key", "\"alice\""));
    assert_eq!(status(&push, request.body("\"alice\"".into()).unwrap()).await, 200);
}

#[tokio::test]
async fn while_secrets_are_replaced_both_are_good() {
    let (_layer, _sink, push) = by_signature();
    let both = push.clone().and(Secret::hmac_sha256("next"));
    for (push, key, expected) in [
        (&push, "key", 200),
        (&push, "next", 401),
        (&both, "key", 200),
        (&both, "next", 200),
        (&both, "other", 401),
    ] {
        assert_eq!(status(push, signed(key, "\"alice\"")).await, expected, "{key}");
    }
    // From the one kind to the other, too.
    let both = both.and(Secret::bearer("token"));
    assert_eq!(status(&both, with_token("\"alice\"")).await, 200);
    assert_eq!(status(&both, signed("key", "\"alice\"")).await, 200);
    let mut wrong_token = signed("key", "\"alice\"");
    wrong_token
        .headers_mut()
        .insert(AUTHORIZATION, "Bearer of something else".parse().unwrap());
    assert_eq!(status(&both, wrong_token).await, 200);
    let response = send(&both, signed("other", "\"alice\"")).await;
    assert_eq!(
        (response.status(), &response.headers()[WWW_AUTHENTICATE]),
        (StatusCode::UNAUTHORIZED, &"Bearer".parse().unwrap())
    );
}

#[tokio::test]
async fn a_replayed_push_changes_nothing() {
    fn timed(message: &[u8]) -> Result<Decoded, DecodeError> {
        let at = Timestamp::from_unix_secs(std::str::from_utf8(&message[1..]).unwrap().parse().unwrap());
        Ok(match message[0] {
            b'+' => Decoded::from(Revocation::block(Key::subject("alice")).at(at)),
            _ => Decoded::from(Reinstatement::of(Key::subject("alice"), at)),
        })
    }
    let (layer, sink) = fresh_pair();
    let push = Push::new(sink.clone(), timed as ByDecode, Secret::hmac_sha256("key"));
    let issued_now = || {
        let mut request = crate::support::presenting("alice");
        let now = Timestamp::now().as_unix_secs().to_string();
        request.headers_mut().insert("x-iat", now.parse().unwrap());
        request
    };
    for (body, admitted) in [
        ("+1000", false),
        ("-2000", true),
        ("+1000", true),
        ("+3000", false),
        ("-2000", false),
    ] {
        assert_eq!(status(&push, signed("key", body)).await, 200);
        let status = crate::support::send(&layer, issued_now()).await.status();
        assert_eq!(status == 200, admitted, "after {body}");
    }
    assert_eq!(sink.status().overlay.entries, 1);
}

#[tokio::test]
async fn only_post_is_answered() {
    let (_layer, _sink, push) = by_token();
    for method in [Method::GET, Method::PUT, Method::HEAD, Method::OPTIONS, Method::DELETE] {
        let mut request = over_http2(with_token(untouchable()));
        *request.method_mut() = method;
        let response = send(&push, request).await;
        assert_eq!(
            (response.status(), &response.headers()[ALLOW]),
            (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap())
        );
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_read_to_its_end() {
    let (_layer, sink, push) = by_token();
    let push = push.with_body_cap(10);
    assert_eq!(status(&push, with_token(r#""8 bytes.""#)).await, 200);
    assert_eq!(status(&push, with_token(r#""9 bytes..""#)).await, 413);
    // Announced: nothing of it is read.
    let mut announced = over_http2(with_token(untouchable()));
    announced.headers_mut().insert(CONTENT_LENGTH, 11.into());
    let (status, body) = answer(&push, announced).await;
    assert_eq!(
        (status, &body["detail"]),
        (413, &json!("the body is larger than 10 bytes"))
    );
    // Endless.
    let endless = tokio_stream::iter(std::iter::repeat_with(|| Ok::<_, Infallible>(Bytes::from("x"))));
    assert_eq!(answer(&push, with_token(Body::from_stream(endless))).await.0, 413);
    // Whoever proves nothing is told nothing.
    let mut stranger = over_http2(Request::post("/push").body(untouchable()).unwrap());
    stranger.headers_mut().insert(CONTENT_LENGTH, 11.into());
    assert_eq!(answer(&push, stranger).await.0, 401);
    assert_eq!(sink.status().overlay.entries, 1);
}

#[tokio::test]
async fn a_mebibyte_is_taken_in_and_no_more() {
    let (_layer, _sink, push) = by_token();
    let of_length = |length: usize| with_token(format!("\"{}\"", "x".repeat(length - 2)));
    assert_eq!(status(&push, of_length(DEFAULT_BODY_CAP)).await, 200);
    assert_eq!(status(&push, of_length(DEFAULT_BODY_CAP + 1)).await, 413);
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_waited_for_no_longer_than_it_may_take() {
    let (layer, _sink, push) = by_token();
    // A byte a second: never still, and never done.
    let trickle = || {
        let bytes = tokio_stream::iter(std::iter::repeat_with(|| Ok::<_, Infallible>(Bytes::from(" "))));
        over_http2(with_token(Body::from_stream(bytes.throttle(Duration::from_secs(1)))))
    };
    let started = Instant::now();
    assert_eq!(status(&push, trickle()).await, 408);
    assert_eq!(started.elapsed(), DEFAULT_BODY_TIMEOUT);
    let started = Instant::now();
    let patient = push.with_body_timeout(Duration::from_secs(60));
    assert_eq!(status(&patient, trickle()).await, 408);
    assert_eq!(started.elapsed(), Duration::from_secs(60));
    assert_eq!(status_of(&layer, "alice").await, 200);
}

#[tokio::test]
async fn a_body_comes_in_any_pieces() {
    let (layer, _sink, push) = by_signature();
    let request = Request::post("/push").header("x-signature-256", sign("key", r#"["alice","bob"]"#));
    let body = chunked(&["[\"al", "", "ice\"", ",\"bob\"", "]"]);
    assert_eq!(status(&push, request.body(body).unwrap()).await, 200);
    assert_eq!(status_of(&layer, "alice").await, 401);
    assert_eq!(status_of(&layer, "bob").await, 401);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_taken_in() {
    let (layer, sink, push) = by_token();
    let frames = [
        Ok(Bytes::from("\"alice\"")),
        Err(std::io::Error::other("connection reset")),
    ];
    let body = Body::from_stream(tokio_stream::iter(frames));
    assert_eq!(status(&push, with_token(body)).await, 400);
    assert_eq!(status_of(&layer, "alice").await, 200);
    assert_eq!(sink.status().dispositions.dead_letter, 0);
}

#[tokio::test]
async fn a_batch_says_what_became_of_each() {
    let (layer, sink, push) = by_token();
    let (status, body) = answer(&push, with_token(r#" [ "alice" , {"a": [1]}, "bob" ]"#)).await;
    assert_eq!(status, 200);
    assert_eq!(
        body,
        json!({"results": [
            {"disposition": "applied"},
            {"disposition": "ignored", "reason": "not ours"},
            {"disposition": "applied"},
        ]})
    );
    assert_eq!(status_of(&layer, "bob").await, 401);
    assert_eq!(answer(&push, with_token("[]")).await, (200, json!({"results": []})));
    assert_eq!(sink.status().dispositions.applied, 2);
}

#[tokio::test]
async fn poison_is_told_apart_and_the_others_are_in_force() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let (layer, sink, push) = by_token();
    let push = push.with_dead_letter_hook({
        let told = Arc::clone(&told);
        move |message, reason| {
            let message = String::from_utf8(message.to_vec()).unwrap();
            told.lock().unwrap().push((message, reason.to_owned()));
        }
    });
    // An array of arrays is a batch of messages that are arrays.
    let (status, body) = answer(&push, with_token(r#"["alice",["mallory"],"bob",7]"#)).await;
    let dead = json!({"disposition": "dead-letter", "reason": "message is not a subject"});
    assert_eq!(status, 422);
    assert_eq!(
        body,
        json!({"results": [{"disposition": "applied"}, dead, {"disposition": "applied"}, dead]})
    );
    for (subject, expected) in [("alice", 401), ("mallory", 200), ("bob", 401)] {
        assert_eq!(status_of(&layer, subject).await, expected);
    }
    let reason = || "message is not a subject".to_owned();
    assert_eq!(
        *told.lock().unwrap(),
        [("[\"mallory\"]".to_owned(), reason()), ("7".to_owned(), reason())]
    );
    assert_eq!(sink.status().dispositions.dead_letter, 2);
    assert_eq!(answer(&push, with_token("7")).await, (422, dead));
    assert_eq!(answer(&push, with_token("")).await.0, 422);
}

#[tokio::test]
async fn a_malformed_batch_is_one_dead_letter() {
    let (layer, sink, push) = by_token();
    for (count, body) in [r#"["alice""#, r#"["alice",]"#, r#"["alice"]]"#, "[", "[\"alice\"] 7"]
        .into_iter()
        .enumerate()
    {
        let (status, answer) = answer(&push, with_token(body)).await;
        assert_eq!((status, &answer["disposition"]), (422, &json!("dead-letter")), "{body}");
        let reason = answer["reason"].as_str().unwrap();
        assert!(reason.starts_with("batch is not a JSON array: "), "{reason}");
        assert_eq!(sink.status().dispositions.dead_letter, count as u64 + 1);
    }
    assert_eq!(status_of(&layer, "alice").await, 200);
}

#[tokio::test]
async fn a_batch_of_too_many_is_not_begun() {
    let (_layer, sink, push) = by_token();
    let push = push.with_batch_cap(3);
    assert_eq!(status(&push, with_token(r#"["a","b","c"]"#)).await, 200);
    let (status, body) = answer(&push, with_token(r#"["d","e","f","g"]"#)).await;
    assert_eq!(
        (status, &body["detail"]),
        (413, &json!("the batch has more than 3 messages"))
    );
    assert_eq!(sink.status().overlay.entries, 3);
}

#[tokio::test]
async fn ten_thousand_are_one_batch() {
    let (layer, sink, push) = by_token();
    let batch: Vec<_> = (0..10_000).map(|number| number.to_string()).collect();
    let (status, body) = answer(&push, with_token(serde_json::to_vec(&batch).unwrap())).await;
    assert_eq!((status, body["results"].as_array().unwrap().len()), (200, 10_000));
    assert_eq!(sink.status().overlay.entries, 10_000);
    assert_eq!(status_of(&layer, "9999").await, 401);
}

#[tokio::test]
async fn what_finds_no_room_is_to_be_sent_again() {
    let (layer, sink, push) = by_token();
    sink.configure(|config| config.with_capacity(NonZeroUsize::new(2).unwrap()));
    // What can be repeated goes before what cannot.
    let response = send(&push, with_token(r#"["a",7,"b","c"]"#)).await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()[RETRY_AFTER], "10");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let dispositions: Vec<_> = body["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["disposition"].as_str().unwrap())
        .collect();
    assert_eq!(dispositions, ["applied", "dead-letter", "applied", "retry"]);
    assert_eq!(
        answer(&push, with_token(r#""c""#)).await,
        (
            503,
            json!({"disposition": "retry", "reason": "overlay is at capacity: no room for 1 events"})
        )
    );
    assert_eq!(status_of(&layer, "b").await, 401);
    // Once there is room, the whole batch is done.
    sink.configure(|config| config.with_capacity(NonZeroUsize::new(3).unwrap()));
    assert_eq!(status(&push, with_token(r#"["a","b","c"]"#)).await, 200);
}

#[tokio::test]
async fn it_is_mounted_on_plain_hyper_and_pushed_to_over_a_socket() {
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use hyper_util::server::conn::auto;
    use hyper_util::service::TowerToHyperService;

    let (layer, _sink, push) = by_signature();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(push.clone());
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                server.serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::post(format!("http://{address}/")).header("x-signature-256", sign("key", "\"alice\""));
    let body = StreamBody::new(tokio_stream::iter([Ok::<_, Infallible>(http_body::Frame::data(
        Bytes::from("\"alice\""),
    ))]));
    let response = client.request(request.body(body.boxed()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(status_of(&layer, "alice").await, 401);
    let request = Request::post(format!("http://{address}/")).header("x-signature-256", sign("yek", "\"bob\""));
    let response = client
        .request(request.body(Full::from("\"bob\"").boxed()).unwrap())
        .await
        .unwrap();
    assert_eq!(response.status(), 401);
}

#[test]
fn shows_no_secret() {
    let (_layer, _sink, push) = by_token();
    let push = push.and(Secret::hmac_sha256("key-material"));
    let shown = format!("{push:?}");
    assert!(!shown.contains("token") && !shown.contains("key-material"), "{shown}");
}

/// Azure Event Grid and others ask first, and used to be told that only POST is allowed.
#[tokio::test]
async fn a_sender_that_asks_whether_it_may_push_is_answered() {
    let ask = |origin: Option<&str>, method| {
        let mut request = Request::builder().method(method).uri("/push");
        request = request.header("webhook-request-rate", "120");
        if let Some(origin) = origin {
            request = request.header("webhook-request-origin", origin);
        }
        request.body(Body::empty()).unwrap()
    };
    let (_layer, _sink, push) = by_token();
    let azure = "eventgrid.azure.net";
    assert_eq!(
        status(&push, ask(Some(azure), Method::OPTIONS)).await,
        405,
        "by default"
    );
    let push = push
        .with_allowed_origin("events.example.com")
        .with_allowed_origin(azure);
    let response = send(&push, ask(Some("EventGrid.azure.net"), Method::OPTIONS)).await;
    assert_eq!(response.status(), 200);
    let headers = response.headers();
    assert_eq!(headers["webhook-allowed-origin"], "EventGrid.azure.net");
    assert_eq!(headers["webhook-allowed-rate"], "*");
    assert_eq!(headers[ALLOW], "POST, OPTIONS");
    for (origin, method) in [
        (Some("mallory.example"), Method::OPTIONS),
        (None, Method::OPTIONS),
        (Some(azure), Method::GET),
    ] {
        assert_eq!(status(&push, ask(origin, method)).await, 405);
    }
    assert_eq!(
        status(&push, ask(Some(azure), Method::POST)).await,
        401,
        "it opens no door"
    );
    let any = push.with_allowed_origin("*");
    assert_eq!(status(&any, ask(Some("anybody.example"), Method::OPTIONS)).await, 200);
}
