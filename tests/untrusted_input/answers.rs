//! Answers that do not end, come slowly, are packed, or have huge headers: what the poller makes of them.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tokio::time::Instant;
use tokio_stream::StreamExt;
use tower::{Layer, ServiceExt, service_fn};
use tower_revocation::crl::{ListFormat, Poller};
use tower_revocation::{Credential, EventSink, Key, ListPolicy, RevocationLayer, Timestamp};

use crate::properties::{registry, world};

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What the first request for the list gets; the next ones get a good list.
type First = Arc<Mutex<Option<Response<Body>>>>;

fn whole(body: impl Into<Bytes>) -> Body {
    Full::from(body.into()).boxed_unsync()
}

fn good() -> Vec<u8> {
    let now = Timestamp::now().as_unix_secs();
    registry::document(&registry::payload(now, now + 390, &[registry::A]))
}

/// Polls a registry whose first answer is this, for lists of a mebibyte.
fn poll(sink: &EventSink, first: Response<Body>) -> Arc<Mutex<Vec<HeaderMap>>> {
    let first: First = Arc::new(Mutex::new(Some(first)));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let client = service_fn(move |request: Request<Empty<Bytes>>| {
        let is_keys = request.uri().path() == "/keys";
        log.lock().unwrap().push(request.into_parts().0.headers);
        let answer = match is_keys {
            true => Response::new(whole(registry::keys_document())),
            false => first
                .lock()
                .unwrap()
                .take()
                .unwrap_or_else(|| Response::new(whole(good()))),
        };
        async { Ok::<_, Infallible>(answer) }
    });
    let uri = |path| Uri::from_static(path);
    let (list, keys) = (uri("http://registry/list"), uri("http://registry/keys"));
    let poller = Poller::new(client, registry::format(), list, keys, sink.clone())
        .with_timeout(TIMEOUT)
        .with_size_cap(CAP);
    tokio::spawn(poller.run());
    asked
}

const TIMEOUT: Duration = Duration::from_secs(10);
const CAP: usize = 1 << 20;

/// The first answer has come to nothing, for this reason; and the next one is taken.
async fn assert_goes_on(sink: &EventSink, reason: &str) {
    while sink.status().poll.last_error.is_none() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let error = sink.status().poll.last_error.unwrap();
    assert!(error.contains(reason), "{error}");
    assert!(!sink.is_ready());
    world::assert_still_blocked(sink);
    sink.refreshed().await;
    assert_eq!(sink.status().poll.last_error, None);
    assert!(sink.is_ready() && world::is_blocked(sink, Key::token(registry::A)));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_drips_is_given_up_and_no_request_waits_for_it() {
    let (layer, sink) = RevocationLayer::pair(|_: &Request<String>| Credential::from(world::mallory()));
    sink.apply(tower_revocation::Revocation::block(world::mallory()))
        .unwrap()
        .wait()
        .unwrap();
    // A byte a second: never still, and never done.
    let bytes = tokio_stream::iter(std::iter::repeat_with(|| Ok(Frame::data(Bytes::from(" ")))));
    let drip = StreamBody::new(bytes.throttle(Duration::from_secs(1))).boxed_unsync();
    let started = Instant::now();
    poll(&sink, Response::new(drip));
    tokio::time::sleep(Duration::from_secs(5)).await;
    let asked = Instant::now();
    let ok = service_fn(|_: Request<String>| async { Ok::<_, Infallible>(Response::new(String::new())) });
    let answered = layer.layer(ok).oneshot(Request::new(String::new())).await.unwrap();
    assert_eq!((answered.status().as_u16(), asked.elapsed()), (401, Duration::ZERO));
    assert_goes_on(&sink, "comes too slowly: fewer than 10240 bytes came within 10s").await;
    // A time-out, and a pause before the next attempt.
    assert!(
        started.elapsed() < TIMEOUT + Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_that_takes_its_time_is_waited_for() {
    let sink = world::without_list();
    let mut document = vec![b' '; CAP / 2];
    document.extend(good());
    let pieces: Vec<_> = document.chunks(8 * 1024).map(Bytes::copy_from_slice).collect();
    let frames = tokio_stream::iter(pieces.into_iter().map(|piece| Ok(Frame::data(piece))));
    let started = Instant::now();
    poll(
        &sink,
        Response::new(StreamBody::new(frames.throttle(Duration::from_secs(3))).boxed_unsync()),
    );
    sink.refreshed().await;
    assert_eq!(sink.status().poll.last_error, None);
    assert!(sink.is_ready() && world::is_blocked(&sink, Key::token(registry::A)));
    assert!(started.elapsed() > 15 * TIMEOUT, "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_endless_list_is_read_no_further_than_it_may_go() {
    let sink = world::without_list();
    let read = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&read);
    let piece = Bytes::from(vec![b' '; 64 * 1024]);
    let pieces = tokio_stream::iter(std::iter::repeat_with(move || {
        counted.fetch_add(piece.len(), Ordering::Relaxed);
        Ok(Frame::data(piece.clone()))
    }));
    poll(&sink, Response::new(StreamBody::new(pieces).boxed_unsync()));
    assert_goes_on(&sink, "larger than 1048576 bytes").await;
    let read = read.load(Ordering::Relaxed);
    assert!(read <= CAP + 64 * 1024, "{read}");
}

/// Nothing unpacks it, so that it cannot grow; and none is asked for.
#[tokio::test(start_paused = true)]
async fn a_packed_list_is_not_unpacked() {
    let sink = world::without_list();
    let mut answer = Response::new(whole(gzip(&good())));
    answer
        .headers_mut()
        .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    let asked = poll(&sink, answer);
    assert_goes_on(&sink, "body is not readable JSON").await;
    assert!(
        asked
            .lock()
            .unwrap()
            .iter()
            .all(|headers| !headers.contains_key(ACCEPT_ENCODING))
    );
}

#[tokio::test(start_paused = true)]
async fn a_header_of_a_megabyte_is_no_obstacle() {
    let sink = world::without_list();
    let mut answer = Response::new(whole("x"));
    *answer.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    let huge = |byte| HeaderValue::from_bytes(&vec![byte; 1 << 20]).unwrap();
    answer.headers_mut().insert(RETRY_AFTER, huge(b'9'));
    answer.headers_mut().insert(ETAG, huge(b'x'));
    let started = Instant::now();
    poll(&sink, answer);
    assert_goes_on(&sink, "status 503").await;
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "it says nothing that can be understood"
    );
}

/// What is pushed is a message as it comes, and so is what a queue holds.
#[tokio::test]
async fn a_packed_message_is_a_dead_letter() {
    use tower_revocation::format::clawdentity::ClawdentityEvents;
    use tower_revocation::push::{Push, Secret};

    let (_layer, sink) = RevocationLayer::pair(());
    sink.configure(|config| config.with_lists(ListPolicy::NotUsed));
    let event = format!(
        r#"{{"type":"agent.auth.revoked","data":{{"agentId":"{}"}}}}"#,
        world::MALLORY
    );
    for (body, status, is_blocked) in [
        (gzip(event.as_bytes()), 422, false),
        (event.clone().into_bytes(), 200, true),
    ] {
        let push = Push::new(sink.clone(), ClawdentityEvents::new(), Secret::bearer("token"));
        let request = Request::post("/")
            .header("authorization", "Bearer token")
            .header(CONTENT_ENCODING, "gzip")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        assert_eq!(push.oneshot(request).await.unwrap().status(), status);
        assert_eq!(world::is_blocked(&sink, world::mallory()), is_blocked);
    }
}

/// A gzip file that holds its content as it is, which is all that a reader has to know to be fooled.
fn gzip(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    let sizes = [length.to_le_bytes(), (!length).to_le_bytes()].concat();
    // Nobody comes as far as the check sum.
    let tail = [[0; 4], u32::from(length).to_le_bytes()].concat();
    [&head[..], &sizes, content, &tail].concat()
}

/// The id of its key is quoted in errors. One of megabytes once took five times what the list was large.
#[test]
fn a_list_that_is_refused_takes_little_more_than_it_is_large() {
    for kid in ["\u{200b}".repeat(CAP), "k".repeat(4 * CAP), "\\u0001".repeat(CAP / 2)] {
        let header = registry::HEADER.replace("k1", &kid);
        let token = registry::sign(header.as_bytes(), b"{}");
        let document = format!(r#"{{"crl":"{token}"}}"#).into_bytes();
        let used = measure(|| {
            let read = registry::format().read_list(&document, registry::keys(), registry::NOW);
            drop(read.unwrap_err().to_string());
        });
        assert!(used.bytes_max < 8 * 1024, "{} for {}", used.bytes_max, document.len());
    }
}
