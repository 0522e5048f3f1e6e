//! What does watching cost? Ids read `metrics/<question>/<arm>`.

#[path = "common/bare.rs"]
mod bare;
mod common;

use std::hint::black_box;

use bare::Bare;
use common::{EVENTS, MISSES, NEW_EVENTS, is_test, requests, sink, subjects};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::Request;
use metrics_exporter_prometheus::PrometheusBuilder;
use tower::{Layer, Service};
use tower_revocation::metrics::Exporter;
use tower_revocation::{Applied, Credential, Key, Revocation, RevocationLayer, RevocationList, Timestamp, identify};

/// A request: counted as ever; the same with an exporter and a recorder; and what one would hand-roll, the facade's macro in a
/// layer around it.
fn request(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    let _in_runtime = runtime.enter();
    let recorder = PrometheusBuilder::new().build_recorder();
    let credential = requests(MISSES, 1)[0].credential();
    let request = || {
        let mut request = Request::new(String::new());
        request.extensions_mut().insert(credential.clone());
        request
    };
    let pair = || {
        let (layer, sink) = RevocationLayer::pair(identify::extension::<Credential>());
        sink.install(RevocationList::builder(Timestamp::now()).build())
            .expect("the first list");
        (layer, sink)
    };
    let mut group = criterion.benchmark_group("metrics/request");
    let (layer, _sink) = pair();
    let mut plain = layer.layer(Bare);
    group.bench_function("not_exported", |bencher| {
        bencher.iter_batched(request, |request| black_box(plain.call(request)), BatchSize::SmallInput);
    });
    let (layer, sink) = pair();
    let exporter = metrics::with_local_recorder(&recorder, || Exporter::new(sink.clone()));
    let mut exported = layer.layer(Bare);
    metrics::with_local_recorder(&recorder, || {
        group.bench_function("exported", |bencher| {
            bencher.iter_batched(
                request,
                |request| black_box(exported.call(request)),
                BatchSize::SmallInput,
            );
        });
        let (layer, _sink) = pair();
        let mut inner = layer.layer(Bare);
        group.bench_function("macro_for_each", |bencher| {
            bencher.iter_batched(
                request,
                |request| {
                    metrics::counter!("decisions_total", "verdict" => "admit", "source" => "none").increment(1);
                    black_box(inner.call(request))
                },
                BatchSize::SmallInput,
            );
        });
        exporter.export();
    });
    let counted = sink.status().verdicts.admit;
    let shown = format!("revocation_decisions_total{{verdict=\"admit\",source=\"none\"}} {counted}\n");
    assert!(counted > 0 && recorder.handle().render().contains(&shown), "{shown}");
    group.finish();
}

/// An event that says when it happened, with and without somebody who is told how long it took.
fn event(criterion: &mut Criterion) {
    let recorder = PrometheusBuilder::new().build_recorder();
    let held = if is_test() { 1_000 } else { 100_000 };
    let ids: Vec<_> = subjects(NEW_EVENTS, 1_000).collect();
    let mut group = criterion.benchmark_group("metrics/event");
    let mut arm = |name: &str, exporter: &dyn Fn(&tower_revocation::EventSink)| {
        let sink = sink(0, held);
        exporter(&sink);
        let mut at = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                at = (at + 1) % ids.len();
                let event = Revocation::block(Key::subject(&ids[at])).at(Timestamp::now());
                metrics::with_local_recorder(&recorder, || sink.apply(event).and_then(Applied::wait))
                    .expect("there is room");
            });
        });
    };
    arm("not_exported", &|_| ());
    arm("exported", &|sink| drop(Exporter::new(sink.clone())));
    group.finish();
    let shown = recorder.handle().render();
    assert!(
        shown.contains("revocation_enforcement_delay_seconds_count{phase=\"live\"}"),
        "{shown}"
    );
}

/// Writing everything, beside asking for it.
fn export(criterion: &mut Criterion) {
    let recorder = PrometheusBuilder::new().build_recorder();
    let sink = sink(if is_test() { 1_000 } else { 1_000_000 }, 1_000);
    let mut group = criterion.benchmark_group("metrics/export");
    group.bench_function("status", |bencher| bencher.iter(|| black_box(sink.status())));
    metrics::with_local_recorder(&recorder, || {
        let exporter = Exporter::new(sink.clone());
        group.bench_function("export", |bencher| bencher.iter(|| exporter.export()));
    });
    assert_eq!(sink.status().overlay.entries, subjects(EVENTS, 1_000).count());
    group.finish();
}

criterion_group!(benches, request, event, export);
criterion_main!(benches);
