//! The admitted path allocates nothing, and a stream that waits takes little.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, SEC_WEBSOCKET_PROTOCOL};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use tower::Service;
use tower_layer::Layer;
use tower_revocation::{
    Credential, EventSink, Key, ResponseBody, Revocation, RevocationLayer, RevocationList, Timestamp, identify,
};

use crate::support::{Carrying, list_of_now};

#[derive(Clone)]
struct Ok200;

impl Service<Request<String>> for Ok200 {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<String>) -> Self::Future {
        ready(Ok(Response::new(Full::new(Bytes::from_static(b"hello")))))
    }
}

/// How often a call allocates, all of it: identify, decide, future, body to its end. Making the request is not counted.
fn allocations<I>(identify: I, request: impl Fn() -> Request<String>) -> u64
where
    I: tower_revocation::Identify<Request<String>> + Clone,
{
    let (layer, sink) = RevocationLayer::pair(identify);
    sink.install(list_of_now()).unwrap();
    sink.apply_all((0..1_000).map(|i| Revocation::block(Key::subject(&i.to_string()))))
        .unwrap()
        .wait()
        .unwrap();
    let mut service = layer.layer(Ok200);
    let mut context = Context::from_waker(Waker::noop());
    let mut call = |request| {
        assert!(service.poll_ready(&mut context).is_ready());
        let mut future = pin!(service.call(request));
        let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut context) else {
            panic!("not ready");
        };
        assert_eq!(response.status(), 200);
        let mut body = pin!(response.into_body());
        let mut pieces = 0;
        while let Poll::Ready(Some(piece)) = body.as_mut().poll_frame(&mut context) {
            pieces += usize::from(piece.is_ok());
        }
        assert_eq!(pieces, 1);
    };
    // The first call of a thread sets up its counters, and what it has to spare.
    call(request());
    let warm = request();
    measure(|| call(warm)).count_total
}

#[test]
fn admitting_by_extension_allocates_nothing() {
    let credential = Credential::new()
        .with_key(Key::token("t"))
        .with_key(Key::subject("s"))
        .with_key(Key::session("x"))
        .with_issued_at(Timestamp::from_unix_secs(1));
    let request = || {
        let mut request = Request::new(String::new());
        request.extensions_mut().insert(credential.clone());
        request
    };
    assert_eq!(allocations(identify::extension::<Credential>(), request), 0);
}

#[test]
fn admitting_by_a_real_token_allocates_nothing() {
    let token = include_str!("../vectors/clawdentity/ait/agent-a.jwt").trim();
    let request = || {
        Request::builder()
            .header(AUTHORIZATION, format!("Claw {token}"))
            .body(String::new())
            .unwrap()
    };
    assert_eq!(allocations(identify::jwt(AUTHORIZATION, "Claw"), request), 0);
}

/// Padded, in base64's standard alphabet, with slashes escaped, as load balancers and PHP write it, and with numbers for ids.
#[test]
fn admitting_by_a_token_of_another_make_allocates_nothing() {
    let part = |json: &str| STANDARD.encode(json);
    let claims = r#"{"sub":"https:\/\/a.example\/~u?","sid":7.0,"iat":"2026-11-29T18:02:30Z","SUB":["\u0061"],"x":{"y":[1e400]}}"#;
    let token = format!("{}.{}.", part(r#"{"kid":12,"x":"???>>>"}"#), part(claims));
    assert!(token.contains('/') && token.contains('='));
    let request = || {
        let request = Request::builder().header(AUTHORIZATION, format!("Bearer {token}"));
        request.body(String::new()).unwrap()
    };
    assert_eq!(allocations(identify::jwt(AUTHORIZATION, "Bearer"), request), 0);
}

#[test]
fn admitting_by_a_token_in_any_place_allocates_nothing() {
    let token = include_str!("../vectors/clawdentity/ait/agent-a.jwt").trim();
    let jwt = identify::jwt(AUTHORIZATION, "Bearer")
        .with_cookie("sid")
        .with_query("access_token")
        .with_websocket_protocol();
    // One that is presented twice has no more keys than once.
    let escaped = token.replace('.', "%2E");
    let request = || {
        Request::get(format!("/?access%5Ftoken={escaped}"))
            .header(AUTHORIZATION, format!("Digest realm=\"a.b.c\", DPoP {token}"))
            .header(COOKIE, format!("a=b; sid=\"{token}\""))
            .header(SEC_WEBSOCKET_PROTOCOL, format!("chat, bearer, {token}"))
            .header(
                SEC_WEBSOCKET_PROTOCOL,
                format!(
                    "base64url.bearer.authorization.k8s.io.{}",
                    STANDARD_NO_PAD.encode(token)
                ),
            )
            .body(String::new())
            .unwrap()
    };
    assert_eq!(allocations(jwt, request), 0);
}

/// Retired states and replaced lists are freed by whoever writes (DESIGN, "State and cost").
#[test]
fn readers_neither_allocate_nor_free_while_states_are_replaced() {
    let (layer, sink) = RevocationLayer::pair(|_: &Request<String>| Credential::new());
    drop(layer);
    sink.install(list_of_now()).unwrap();
    let known: Vec<_> = (0..10_000)
        .map(|i| Credential::from(Key::subject(&i.to_string())))
        .collect();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let look = || {
                        for credential in &known {
                            let _ = black_box(sink.decide(credential));
                        }
                    };
                    // The first look of a thread registers it.
                    look();
                    measure(|| {
                        while !stop.load(Ordering::Relaxed) {
                            look();
                        }
                    })
                })
            })
            .collect();
        let start = Instant::now();
        let newest = Timestamp::now().as_unix_secs();
        for round in 0.. {
            if start.elapsed() > Duration::from_secs(1) {
                break;
            }
            sink.apply_all((0..100).map(|i| Revocation::block(Key::subject(&format!("{round} {i}")))))
                .unwrap()
                .wait()
                .unwrap();
            let mut list = RevocationList::builder(Timestamp::from_unix_secs(newest + round / 100));
            for i in 0..100 {
                list.push(&Revocation::block(Key::token(&format!("{round} {i}"))));
            }
            // One from too far in the future is refused, which is as good here.
            let _ = sink.install(list.build());
        }
        stop.store(true, Ordering::Relaxed);
        for reader in readers {
            let counted = reader.join().unwrap();
            assert_eq!(
                (counted.count_total, counted.count_current),
                (0, 0),
                "allocated, and net of frees"
            );
        }
    });
}

/// A body that never has anything to say.
#[derive(Debug)]
struct Silence;

impl Body for Silence {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

/// Opens streams that wait, each for a token and a subject of its own, as a Clawdentity agent presents; and for so many
/// of: the signing key that all have, a key of the host's own kind.
fn opener(others: usize) -> (EventSink, impl FnMut(usize) -> ResponseBody<Silence>) {
    let keys = move |number: usize| {
        let number = number.to_string();
        let others = [Key::signing_key("k"), Key::named("device", &number)]
            .into_iter()
            .take(others);
        [Key::token(&number), Key::subject(&number)].into_iter().chain(others)
    };
    let (layer, sink) = RevocationLayer::pair(move |request: &Request<Carrying<usize>>| {
        let mut credential = Credential::new().with_issued_at(Timestamp::from_unix_secs(5));
        credential.extend(keys(request.body().0));
        credential
    });
    sink.install(list_of_now()).unwrap();
    let mut service = layer.layer(tower::service_fn(|_: Request<Carrying<usize>>| {
        ready(Ok::<_, Infallible>(Response::new(Silence)))
    }));
    let open = move |number| {
        let mut context = Context::from_waker(Waker::noop());
        let mut future = pin!(service.call(Request::new(Carrying(number))));
        let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut context) else {
            panic!("not ready");
        };
        let mut body = response.into_body();
        assert!(Pin::new(&mut body).poll_frame(&mut context).is_pending());
        body
    };
    (sink, open)
}

#[test]
fn a_stream_that_waits_takes_no_more_than_256_bytes() {
    const STREAMS: usize = 10_000;
    for (others, most) in [(0, 256), (1, 288), (2, 360)] {
        let (sink, mut open) = opener(others);
        let mut streams = Vec::with_capacity(STREAMS);
        drop(open(STREAMS));
        let counted = measure(|| streams.extend((0..STREAMS).map(&mut open)));
        assert_eq!(sink.status().in_flight.waiting, STREAMS);
        // What it takes on the heap, and by what it makes a body larger.
        let larger = size_of::<ResponseBody<Silence>>() - size_of::<Silence>();
        let bytes = usize::try_from(counted.bytes_current).unwrap() / STREAMS;
        eprintln!("{} keys: {bytes} bytes on the heap, {larger} in the body", 2 + others);
        assert!(bytes + larger <= most, "{bytes} and {larger}");
        drop(streams);
        assert_eq!(sink.status().in_flight.waiting, 0);
    }
}

#[test]
fn a_million_streams_leave_nothing_behind() {
    let (sink, mut open) = opener(0);
    let mut streams = std::collections::VecDeque::with_capacity(1_000);
    let mut rounds = |count: usize| {
        for number in 0..count {
            if streams.len() == 1_000 {
                streams.pop_front();
            }
            streams.push_back(open(number));
        }
    };
    // As large as it gets with a thousand at a time.
    rounds(10_000);
    let counted = measure(|| rounds(1_000_000));
    assert!(counted.bytes_current.abs() < 64 * 1024, "{counted:?}");
    assert!(counted.bytes_max < 64 * 1024, "{counted:?}");
    drop(streams);
    assert_eq!(sink.status().in_flight.waiting, 0);
}
