//! What does the layer add to a request? A whole call: identify, decide, future, body.

#[path = "common/bare.rs"]
mod bare;
mod common;

use std::convert::Infallible;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bare::Bare;
use bytes::Bytes;
use common::{Ids, MISSES, is_test, requests};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::header::{ACCEPT, AUTHORIZATION};
use http::{Request, Response, StatusCode};
use http_body::Body;
use tower::{Layer, Service};
use tower_http::timeout::TimeoutLayer;
use tower_http::validate_request::ValidateRequestHeaderLayer;
use tower_revocation::{Credential, EventSink, RevocationLayer, RevocationList, Timestamp, identify};

fn layer(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let _in_runtime = runtime.enter();
    let entries = if is_test() { 1_000 } else { 1_000_000 };
    let mut group = criterion.benchmark_group("layer");
    group.measurement_time(Duration::from_secs(3));

    let credential = requests(MISSES, 1)[0].credential();
    let with_extension = || {
        let mut request = Request::builder()
            .header(ACCEPT, "*/*")
            .body(String::new())
            .expect("a request");
        request.extensions_mut().insert(credential.clone());
        request
    };
    // Real, and expired; the reader does not look.
    let token = include_str!("../tests/vectors/clawdentity/ait/agent-a.jwt").trim();
    let with_token = || {
        let request = Request::builder().header(AUTHORIZATION, format!("Claw {token}"));
        request.body(String::new()).expect("a request")
    };
    let (by_extension, sink) = RevocationLayer::pair(identify::extension::<Credential>());
    fill(&sink, entries);
    let (by_jwt, other) = RevocationLayer::pair(identify::jwt(AUTHORIZATION, "Claw"));
    fill(&other, entries);

    let mut arm = |name: &str, call: &mut dyn FnMut(Request<String>), request: &dyn Fn() -> Request<String>| {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(request, &mut *call, BatchSize::SmallInput)
        });
    };
    arm("bare", &mut caller(Bare), &with_extension);
    arm("ours_extension", &mut caller(by_extension.layer(Bare)), &with_extension);
    let timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_secs(30));
    arm("tower_http_timeout", &mut caller(timeout.layer(Bare)), &with_extension);
    let accept = ValidateRequestHeaderLayer::accept("application/json");
    arm(
        "tower_http_validate_accept",
        &mut caller(accept.layer(Bare)),
        &with_extension,
    );
    arm("bare_with_token", &mut caller(Bare), &with_token);
    arm("ours_jwt", &mut caller(by_jwt.layer(Bare)), &with_token);

    let mut decide = |request: Request<String>| {
        let credential = request.extensions().get::<Credential>().expect("it was put there");
        let _ = black_box(sink.decide(credential));
    };
    arm("one_decision", &mut decide, &with_extension);
    group.finish();
}

/// Calls a service, and polls its future and the body to their ends, which they reach at once.
fn caller<S, B>(mut service: S) -> impl FnMut(Request<String>)
where
    S: Service<Request<String>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes>,
{
    move |request| {
        let mut context = Context::from_waker(Waker::noop());
        assert!(service.poll_ready(&mut context).is_ready());
        let mut future = pin!(service.call(request));
        let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut context) else {
            panic!("the service answers at once");
        };
        assert_eq!(response.status(), StatusCode::OK);
        let mut body = pin!(response.into_body());
        while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut context) {
            black_box(frame.is_ok());
        }
    }
}

fn fill(sink: &EventSink, entries: usize) {
    let mut list = RevocationList::builder(Timestamp::now());
    for token in common::tokens(common::LIST, entries) {
        list.push(&tower_revocation::Revocation::block(tower_revocation::Key::token(
            &token,
        )));
    }
    sink.install(list.build()).expect("the first list");
}

/// The shape of what is identified, so that the two cannot drift apart.
const _: fn(&Ids) -> Credential = Ids::credential;

criterion_group!(benches, layer);
criterion_main!(benches);
