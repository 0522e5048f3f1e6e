//! The admitted path allocates nothing.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use http::header::AUTHORIZATION;
use http::{Request, Response};
use http_body_util::Empty;
use tower::Service;
use tower_layer::Layer;
use tower_revocation::{Credential, Key, Revocation, RevocationLayer, Snapshot, Timestamp, identify};

use crate::support::list_of_now;

#[derive(Clone)]
struct Ok200;

impl Service<Request<()>> for Ok200 {
    type Response = Response<Empty<bytes::Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(Empty::new())))
    }
}

/// How often a call allocates, all of it: identify, decide, future, body. Making the request is not counted.
fn allocations<I>(identify: I, request: impl Fn() -> Request<()>) -> u64
where
    I: tower_revocation::Identify<Request<()>> + Clone,
{
    let (layer, sink) = RevocationLayer::pair(identify);
    sink.install(list_of_now()).unwrap();
    sink.apply_all((0..1_000).map(|i| Revocation::of(Key::subject(&i.to_string()))))
        .unwrap();
    let mut service = layer.layer(Ok200);
    let mut context = Context::from_waker(Waker::noop());
    let mut call = |request| {
        assert!(service.poll_ready(&mut context).is_ready());
        let mut future = pin!(service.call(request));
        match future.as_mut().poll(&mut context) {
            Poll::Ready(Ok(response)) => assert_eq!(response.status(), 200),
            _ => panic!("not ready"),
        }
    };
    // The first call of a thread sets up its counters.
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
        let mut request = Request::new(());
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
            .body(())
            .unwrap()
    };
    assert_eq!(allocations(identify::jwt(AUTHORIZATION, "Claw"), request), 0);
}

/// Retired states and replaced lists are freed by whoever writes (DESIGN, "State and cost").
#[test]
fn readers_neither_allocate_nor_free_while_states_are_replaced() {
    let (layer, sink) = RevocationLayer::pair(|_: &Request<()>| Credential::new());
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
            sink.apply_all((0..100).map(|i| Revocation::of(Key::subject(&format!("{round} {i}")))))
                .unwrap();
            let mut list = Snapshot::builder(Timestamp::from_unix_secs(newest + round / 100));
            for i in 0..100 {
                list.push(&Revocation::of(Key::token(&format!("{round} {i}"))));
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
