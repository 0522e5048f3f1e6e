//! What does an event cost? Ids read `apply/<one|batch_of_1000>/<overlay>/<arm>`; times are per call, throughput per event.

mod common;
#[path = "common/peers.rs"]
mod peers;

use std::time::{Duration, Instant};

use common::{NEW_EVENTS, is_test, short, subjects};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use peers::{ArcSwapHashSet, Dashmap, Ours, Papaya, Peer, RwLockHashSet};
use tower_revocation::{Key, Revocation};

const BATCH: usize = 1_000;

/// How many events go before those that are measured; a hundredth of the overlay at most.
const WARM_UP: usize = 2_000;

fn sizes() -> &'static [usize] {
    if is_test() {
        &[1_000]
    } else {
        &[10_000, 100_000, 1_000_000]
    }
}

fn one(criterion: &mut Criterion) {
    for &overlay in sizes() {
        let mut group = criterion.benchmark_group(format!("apply/one/{}", short(overlay)));
        group.throughput(Throughput::Elements(1)).sample_size(20);
        arm::<Ours>(&mut group, "ours", overlay, WARM_UP);
        arm::<RwLockHashSet>(&mut group, "rwlock_hashset", overlay, WARM_UP);
        arm::<Dashmap>(&mut group, "dashmap", overlay, WARM_UP);
        arm::<Papaya>(&mut group, "papaya", overlay, WARM_UP);
        // A clone of the whole map for each event.
        group.sample_size(10).warm_up_time(Duration::from_millis(100));
        arm::<ArcSwapHashSet>(&mut group, "arcswap_hashset", overlay, 1);
        group.finish();
    }
}

fn batch(criterion: &mut Criterion) {
    for &overlay in sizes() {
        let mut group = criterion.benchmark_group(format!("apply/batch_of_1000/{}", short(overlay)));
        group.throughput(Throughput::Elements(BATCH as u64)).sample_size(20);
        let new: Vec<_> = subjects(NEW_EVENTS, 100 * BATCH).collect();
        group.bench_function("ours", |bencher| {
            bencher.iter_custom(|batches| {
                growing::<Ours>(overlay, WARM_UP, batches as usize, BATCH, |peer, from| {
                    let batch = new[from..from + BATCH].iter();
                    let batch = batch.map(|subject| Revocation::block(Key::subject(subject)));
                    let _ = peer.0.apply_all(batch).expect("there is room");
                })
            });
        });
        group.bench_function("rwlock_hashset", |bencher| {
            bencher.iter_custom(|batches| {
                growing::<RwLockHashSet>(overlay, WARM_UP, batches as usize, BATCH, |peer, from| {
                    peer.revoke_all(new[from..from + BATCH].iter().cloned());
                })
            });
        });
        group.finish();
    }
}

fn arm<P: Peer>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, overlay: usize, warm_up: usize) {
    let new: Vec<_> = subjects(NEW_EVENTS, 100 * BATCH).collect();
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|events| {
            growing::<P>(overlay, warm_up, events as usize, 1, |peer, at| {
                peer.revoke(new[at].clone())
            })
        });
    });
}

/// The time that `calls` calls take that each add `step` new keys, to a map of `overlay` keys that is made anew, unmeasured,
/// whenever it has grown by a tenth (or by all the new keys there are).
fn growing<P: Peer>(overlay: usize, warm_up: usize, calls: usize, step: usize, call: impl Fn(&P, usize)) -> Duration {
    let rounds = ((overlay / 10).min(100 * BATCH) / step).max(1);
    let mut took = Duration::ZERO;
    let mut left = calls;
    while left > 0 {
        let peer = P::holding(0, overlay);
        // The first change after a large one brings the second state up to date, and the next ones find nothing in a cache.
        (0..warm_up.min(overlay / 100)).for_each(|i| peer.revoke(format!("warm up {i}")));
        let now = left.min(rounds);
        let start = Instant::now();
        (0..now).for_each(|round| call(&peer, round * step));
        took += start.elapsed();
        left -= now;
    }
    took
}

criterion_group!(benches, one, batch);
criterion_main!(benches);
