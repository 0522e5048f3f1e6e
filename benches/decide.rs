//! What does one decision cost? Ids read `decide/<case>/<snapshot>+<overlay>/<arm>`.

mod common;
#[path = "common/peers.rs"]
mod peers;

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::{CREDENTIALS, Ids, MISSES, NEW_EVENTS, is_test, requests, short, subjects};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use peers::{ArcSwapHashSet, Dashmap, Floor, Moka, Ours, Papaya, Peer, RwLockHashSet, Scc};
use tower_revocation::{Credential, Verdict};

/// Sizes of the list and of the overlay.
const SIZES: [(usize, usize); 8] = [
    (1_000, 0),
    (100_000, 0),
    (100_000, 10_000),
    (1_000_000, 0),
    (1_000_000, 10_000),
    (1_000_000, 1_000_000),
    (10_000_000, 0),
    (10_000_000, 10_000),
];

/// Sizes at which every peer is measured; at others only the nearest ones, for want of memory and patience.
const MAIN: (usize, usize) = (1_000_000, 10_000);

fn sizes() -> Vec<(usize, usize)> {
    let largest = if is_test() { 1_000 } else { usize::MAX };
    SIZES.into_iter().filter(|(snapshot, _)| *snapshot <= largest).collect()
}

fn misses(criterion: &mut Criterion) {
    let requests = requests(MISSES, CREDENTIALS);
    for size in sizes() {
        let mut group = group(criterion, "miss", size);
        floor(&mut group, &requests, size);
        prehashed(&mut group, &requests, size, false);
        arm::<Ours>(&mut group, "ours", &requests, size, false);
        arm::<RwLockHashSet>(&mut group, "rwlock_hashset", &requests, size, false);
        if size == MAIN || is_test() {
            arm::<ArcSwapHashSet>(&mut group, "arcswap_hashset", &requests, size, false);
            arm::<Dashmap>(&mut group, "dashmap", &requests, size, false);
            arm::<Papaya>(&mut group, "papaya", &requests, size, false);
            arm::<Moka>(&mut group, "moka", &requests, size, false);
            arm::<Scc>(&mut group, "scc", &requests, size, false);
        }
        group.finish();
    }
}

/// The subject is one of those that events have revoked.
fn hits(criterion: &mut Criterion) {
    for size @ (_, overlay) in sizes().into_iter().filter(|(_, overlay)| *overlay > 0) {
        let mut requests = requests(MISSES, CREDENTIALS);
        let revoked: Vec<_> = subjects(common::EVENTS, overlay).collect();
        for (ids, subject) in requests.iter_mut().zip(revoked.iter().cycle()) {
            ids.subject.clone_from(subject);
        }
        let mut group = group(criterion, "hit", size);
        prehashed(&mut group, &requests, size, true);
        arm::<Ours>(&mut group, "ours", &requests, size, true);
        arm::<RwLockHashSet>(&mut group, "rwlock_hashset", &requests, size, true);
        group.finish();
    }
}

/// A decision while one writer applies events at full speed.
fn while_writing(criterion: &mut Criterion) {
    let requests = requests(MISSES, CREDENTIALS);
    let size = if is_test() { (1_000, 0) } else { MAIN };
    let mut group = group(criterion, "miss_while_writing", size);
    busy_arm::<Ours>(&mut group, "ours", &requests, size);
    busy_arm::<RwLockHashSet>(&mut group, "rwlock_hashset", &requests, size);
    busy_arm::<Dashmap>(&mut group, "dashmap", &requests, size);
    busy_arm::<Papaya>(&mut group, "papaya", &requests, size);
    group.finish();
}

fn group<'c>(
    criterion: &'c mut Criterion,
    case: &str,
    (snapshot, overlay): (usize, usize),
) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(format!("decide/{case}/{}+{}", short(snapshot), short(overlay)));
    group
        .throughput(Throughput::Elements(1))
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    group
}

fn arm<P: Peer>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    requests: &[Ids],
    (snapshot, overlay): (usize, usize),
    expected: bool,
) {
    let peer = P::holding(snapshot, overlay);
    measure(group, name, requests, |ids| peer.is_revoked(ids), expected);
}

/// This crate, with the fingerprints made when the token was verified, as an authentication layer would.
fn prehashed(
    group: &mut BenchmarkGroup<'_, WallTime>,
    requests: &[Ids],
    (snapshot, overlay): (usize, usize),
    expected: bool,
) {
    let sink = common::sink(snapshot, overlay);
    let credentials: Vec<Credential> = requests.iter().map(Ids::credential).collect();
    let is_revoked = |credential: &Credential| matches!(sink.decide(credential), Verdict::Revoked(_));
    measure(group, "ours_prehashed", &credentials, is_revoked, expected);
}

fn floor(group: &mut BenchmarkGroup<'_, WallTime>, requests: &[Ids], (snapshot, overlay): (usize, usize)) {
    let floor = Floor::holding(snapshot, overlay);
    let hashes: Vec<_> = requests.iter().map(|ids| floor.hashes(ids)).collect();
    measure(group, "floor", &hashes, |hashes| floor.has_any(hashes), false);
}

fn busy_arm<P: Peer>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    requests: &[Ids],
    (snapshot, overlay): (usize, usize),
) {
    let peer = P::holding(snapshot, overlay);
    let stop = AtomicBool::new(false);
    let new: Vec<_> = subjects(NEW_EVENTS, 100_000).collect();
    thread::scope(|scope| {
        scope.spawn(|| {
            // The same events again and again: at full speed, without growing for ever.
            for id in new.iter().cycle() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                peer.revoke(id.clone());
            }
        });
        measure(group, name, requests, |ids| peer.is_revoked(ids), false);
        stop.store(true, Ordering::Relaxed);
    });
}

fn measure<T>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    requests: &[T],
    is_revoked: impl Fn(&T) -> bool,
    expected: bool,
) {
    // In random order: neither the request nor what it hits is in a cache by virtue of its neighbours.
    let mut order: Vec<u32> = (0..requests.len() as u32).collect();
    fastrand::Rng::with_seed(MISSES).shuffle(&mut order);
    let mut next = order.iter().cycle();
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let request = &requests[*next.next().expect("there are requests") as usize];
            assert_eq!(is_revoked(black_box(request)), expected);
        });
    });
}

criterion_group!(benches, misses, hits, while_writing);
criterion_main!(benches);
