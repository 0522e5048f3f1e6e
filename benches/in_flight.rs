//! What does it cost to reach work in flight? Beside what one would hand-roll: a `tokio::sync::watch` that every stream
//! listens to, so that each event wakes them all.

mod common;

use std::convert::Infallible;
use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{is_test, requests};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::{Request, Response};
use http_body::{Body, Frame};
use tokio::sync::watch;
use tower::{Service, service_fn};
use tower_layer::Layer;
use tower_revocation::{
    Credential, EventSink, Key, ResponseBody, Revocation, RevocationLayer, RevocationList, Timestamp,
};

/// A body that has a piece each time, or never.
#[derive(Clone, Copy)]
struct Talk {
    is_silent: bool,
}

impl Body for Talk {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.is_silent {
            true => Poll::Pending,
            false => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"piece"))))),
        }
    }
}

/// One call is made of each: it is no part of what is measured.
type ByExtension = fn(&Request<String>) -> Option<Credential>;

fn pair() -> (RevocationLayer<ByExtension>, EventSink) {
    let by_extension: ByExtension = |request| request.extensions().get().cloned();
    let (layer, sink) = RevocationLayer::pair(by_extension);
    sink.install(RevocationList::builder(Timestamp::now()).build())
        .expect("the first list");
    (layer, sink)
}

/// A response body that came through the layer.
fn open(layer: &RevocationLayer<ByExtension>, credential: Credential, is_silent: bool) -> ResponseBody<Talk> {
    let mut service = layer.layer(service_fn(|_| {
        std::future::ready(Ok::<_, Infallible>(Response::new(Talk { is_silent })))
    }));
    let mut request = Request::new(String::new());
    request.extensions_mut().insert(credential);
    let mut call = pin!(service.call(request));
    match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(response)) if response.status() == 200 => response.into_body(),
        _ => panic!("it is admitted at once"),
    }
}

fn poll(body: &mut ResponseBody<Talk>) -> Poll<Option<bool>> {
    let mut context = Context::from_waker(Waker::noop());
    Pin::new(body)
        .poll_frame(&mut context)
        .map(|piece| Some(piece?.is_ok()))
}

/// An event while so many streams wait, none of which it concerns.
fn event(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("in_flight/event");
    group.measurement_time(Duration::from_secs(3));
    let live = if is_test() { 100 } else { 10_000 };
    let others: Vec<_> = common::subjects(common::EVENTS, 1_000)
        .map(|id| Key::subject(&id))
        .collect();
    for (name, streams) in [("none_live", 0), ("10k_live", live)] {
        let (layer, sink) = pair();
        let mut bodies: Vec<_> = requests(common::MISSES, streams)
            .iter()
            .map(|ids| open(&layer, ids.credential(), true))
            .collect();
        assert!(bodies.iter_mut().all(|body| poll(body).is_pending()));
        assert_eq!(sink.status().in_flight.waiting, streams);
        let mut next = others.iter().cycle();
        group.bench_function(format!("ours/{name}"), |bencher| {
            bencher.iter(|| sink.apply(Revocation::block(*next.next().expect("without end"))));
        });
        let tenant = Key::tenant("another");
        group.bench_function(format!("ours_shared_key/{name}"), |bencher| {
            bencher.iter(|| sink.apply(Revocation::block(tenant)));
        });
        assert_eq!(sink.status().in_flight.woken, 0);
    }
    let (said, heard) = watch::channel(0_u64);
    let mut receivers = vec![heard; live];
    group.bench_function("tokio_watch/10k_live", |bencher| {
        bencher.iter_custom(|events| {
            let mut took = Duration::ZERO;
            for _ in 0..events {
                let mut context = Context::from_waker(Waker::noop());
                let waits = receivers.iter_mut().map(|receiver| Box::pin(receiver.changed()));
                let mut waits: Vec<_> = waits.collect();
                assert!(
                    waits
                        .iter_mut()
                        .all(|wait| wait.as_mut().poll(&mut context).is_pending())
                );
                let start = Instant::now();
                said.send_modify(|events| *events += 1);
                took += start.elapsed();
                // What each of them does once it is awake is not even counted.
                assert!(waits.iter_mut().all(|wait| wait.as_mut().poll(&mut context).is_ready()));
            }
            took
        });
    });
    group.finish();
}

/// A body's first wait, and its end.
fn wait(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("in_flight/wait");
    let (layer, sink) = pair();
    let ids = requests(common::MISSES, 4_096);
    let credentials: Vec<_> = ids.iter().map(common::Ids::credential).collect();
    let mut next = credentials.iter().cycle();
    let mut fresh = || open(&layer, next.next().expect("without end").clone(), true);
    group.bench_function("ours", |bencher| {
        bencher.iter_batched(
            &mut fresh,
            |mut body| assert!(poll(&mut body).is_pending()),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("ours_without_waiting", |bencher| {
        bencher.iter_batched(&mut fresh, drop, BatchSize::SmallInput);
    });
    let (_said, heard) = watch::channel(0_u64);
    group.bench_function("tokio_watch", |bencher| {
        bencher.iter_batched(
            || heard.clone(),
            |mut receiver| {
                let mut context = Context::from_waker(Waker::noop());
                assert!(pin!(receiver.changed()).poll(&mut context).is_pending());
            },
            BatchSize::SmallInput,
        );
    });
    assert_eq!(sink.status().in_flight.waiting, 0);
    group.finish();
}

/// A piece of a body that always has one.
fn piece(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("in_flight/piece");
    let (layer, _sink) = pair();
    let mut bare = Talk { is_silent: false };
    group.bench_function("bare", |bencher| {
        let mut context = Context::from_waker(Waker::noop());
        bencher.iter(|| assert!(Pin::new(black_box(&mut bare)).poll_frame(&mut context).is_ready()));
    });
    let mut ours = open(&layer, requests(common::MISSES, 1)[0].credential(), false);
    group.bench_function("ours", |bencher| {
        bencher.iter(|| assert_eq!(poll(black_box(&mut ours)), Poll::Ready(Some(true))));
    });
    group.finish();
}

criterion_group!(benches, event, wait, piece);
criterion_main!(benches);
