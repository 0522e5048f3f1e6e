//! What do an issuer's own numbers cost a reader? The same revocations with and without their places in a log, through the loop into the
//! overlay.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{is_test, short};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::{Builder, Runtime};
use tower_revocation::format::revocation::{LogWriter, RevocationEvents, cloud_event};
use tower_revocation::source::{self, Memory};
use tower_revocation::{Credential, ListPolicy, LogId, RevocationLayer, Statement, Subject, Timestamp};

const SOURCE: &str = "https://auth.example.com";

fn burst(criterion: &mut Criterion) {
    let events = if is_test() { 1_000 } else { 100_000 };
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    let ids = || (0..events).map(|number| format!("01KDVDNA0KCWHDXV8G2W{number:06}"));
    let statement = |id: &str| Statement::block(Subject::session(id)).at(Timestamp::from_unix_secs(1_795_960_800));
    let plain: Vec<Bytes> = ids()
        .map(|id| cloud_event(SOURCE, &id, &statement(&id)).into())
        .collect();
    let mut log = LogWriter::begin(SOURCE, LogId::from_bytes([7; 16]), None);
    let numbered: Vec<Bytes> = ids().map(|id| log.write(&id, &statement(&id)).into()).collect();

    let mut group = criterion.benchmark_group(format!("issuer_log/{}", short(events)));
    group
        .throughput(Throughput::Elements(events as u64))
        .sample_size(10)
        .measurement_time(Duration::from_secs(if is_test() { 1 } else { 10 }));
    for (name, messages) in [("plain", &plain), ("numbered", &numbered)] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || filled(messages),
                |log| read(&runtime, &log, messages.len()),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn filled(messages: &[Bytes]) -> Memory {
    let log = Memory::with_room("log", messages.len());
    for message in messages {
        log.publish(message.clone());
    }
    log
}

/// Reads everything, and returns once it is in force.
fn read(runtime: &Runtime, log: &Memory, events: usize) {
    runtime.block_on(async {
        let (_layer, sink) = RevocationLayer::pair(|_: &()| Credential::new());
        sink.configure(|config| config.with_lists(ListPolicy::NotUsed));
        let feed = source::drive(log.source(), RevocationEvents::from_source(SOURCE), sink.clone());
        let is_there = async {
            while sink.status().overlay.entries < events {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = feed.run() => unreachable!("it runs for ever"),
            () = is_there => {}
        }
        assert_eq!(sink.status().feed.last_gap.map(|gap| gap.reason), None);
    });
}

criterion_group!(benches, burst);
criterion_main!(benches);
