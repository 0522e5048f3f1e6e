//! The admitted path allocates nothing.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use http::header::AUTHORIZATION;
use http::{Request, Response};
use http_body_util::Empty;
use tower::Service;
use tower_layer::Layer;
use tower_revocation::{Credential, Key, Revocation, RevocationLayer, Timestamp, identify};

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
