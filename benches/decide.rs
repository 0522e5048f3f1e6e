//! What does one decision cost? Ids read `decide/<case>/<snapshot>+<overlay>/<arm>`.
//!
//! The cases: `miss`, three keys of which none is revoked, drawn in random order from 262,144 credentials, so that
//! neither the request nor what it asks for is in a cache; `miss_in_order`, the same in the order in which they lie in
//! memory, so that the request itself is in a cache, as one that was just parsed is; `hit`, where the subject is
//! revoked by an event; `miss_while_writing`, with one writer applying events at full speed.

mod common;
#[path = "common/peers.rs"]
mod peers;
#[path = "common/redis.rs"]
mod redis;

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::{CREDENTIALS, EVENTS, ISSUED_AT, Ids, MISSES, NEW_EVENTS, is_test, requests, short, subjects};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use fastrand::Rng;
use peers::{ArcSwapHashSet, Dashmap, Floor, Moka, Ours, Papaya, Peer, RwLockHashSet, Scc};
use redis::Redis;
use tower_revocation::{Credential, Key, Verdict};

/// Sizes of the list.
const SNAPSHOTS: [usize; 4] = [1_000, 100_000, 1_000_000, 10_000_000];

/// Sizes of the overlay.
const OVERLAYS: [usize; 3] = [0, 10_000, 1_000_000];

/// Where every peer is measured; at other sizes only the nearest, for want of memory and patience.
const MAIN: (usize, usize) = (1_000_000, 10_000);

/// A list and an overlay of so many entries.
type Size = (usize, usize);
type Group<'c> = BenchmarkGroup<'c, WallTime>;

fn misses(criterion: &mut Criterion) {
    let requests = requests(MISSES, CREDENTIALS);
    for size in sizes() {
        let mut group = group(criterion, "miss", size);
        let order = random_order();
        floor(&mut group, &requests, size, &order);
        ours(&mut group, &requests, size, &order, false);
        peer::<Ours>(&mut group, "ours_from_text", &requests, size, &order, false);
        peer::<RwLockHashSet>(&mut group, "rwlock_hashset", &requests, size, &order, false);
        if size == MAIN || is_test() {
            peer::<ArcSwapHashSet>(&mut group, "arcswap_hashset", &requests, size, &order, false);
            peer::<Dashmap>(&mut group, "dashmap", &requests, size, &order, false);
            peer::<Papaya>(&mut group, "papaya", &requests, size, &order, false);
            peer::<Moka>(&mut group, "moka", &requests, size, &order, false);
            peer::<Scc>(&mut group, "scc", &requests, size, &order, false);
            redis_arm(&mut group, &requests, size, &order);
        }
        group.finish();
    }
}

fn misses_in_order(criterion: &mut Criterion) {
    let requests = requests(MISSES, CREDENTIALS);
    let order: Vec<u32> = (0..CREDENTIALS as u32).collect();
    let size = main_size();
    let mut group = group(criterion, "miss_in_order", size);
    floor(&mut group, &requests, size, &order);
    ours(&mut group, &requests, size, &order, false);
    peer::<Ours>(&mut group, "ours_from_text", &requests, size, &order, false);
    peer::<RwLockHashSet>(&mut group, "rwlock_hashset", &requests, size, &order, false);
    group.finish();
}

fn hits(criterion: &mut Criterion) {
    let size @ (_, overlay) = if is_test() { (1_000, 1_000) } else { MAIN };
    let mut requests = requests(MISSES, CREDENTIALS);
    let revoked: Vec<_> = subjects(EVENTS, overlay).collect();
    for (ids, subject) in requests.iter_mut().zip(revoked.iter().cycle()) {
        ids.subject.clone_from(subject);
    }
    let order = random_order();
    let mut group = group(criterion, "hit", size);
    ours(&mut group, &requests, size, &order, true);
    peer::<Ours>(&mut group, "ours_from_text", &requests, size, &order, true);
    peer::<RwLockHashSet>(&mut group, "rwlock_hashset", &requests, size, &order, true);
    group.finish();
}

fn while_writing(criterion: &mut Criterion) {
    let requests = requests(MISSES, CREDENTIALS);
    let size @ (snapshot, overlay) = main_size();
    let order = random_order();
    let keys: Vec<_> = requests.iter().map(Ids::keys).collect();
    let mut group = group(criterion, "miss_while_writing", size);
    while_revoking(&Ours::holding(snapshot, overlay), |peer| {
        measure(&mut group, "ours", &keys, &order, |keys| is_revoked(peer, keys), false);
        let is_revoked = |ids: &Ids| peer.is_revoked(ids);
        measure(&mut group, "ours_from_text", &requests, &order, is_revoked, false);
    });
    busy_peer::<RwLockHashSet>(&mut group, "rwlock_hashset", &requests, size, &order);
    busy_peer::<Dashmap>(&mut group, "dashmap", &requests, size, &order);
    busy_peer::<Papaya>(&mut group, "papaya", &requests, size, &order);
    group.finish();
}

/// Three probes, with hashes computed beforehand.
fn floor(group: &mut Group<'_>, requests: &[Ids], (snapshot, overlay): Size, order: &[u32]) {
    let floor = Floor::holding(snapshot, overlay);
    let hashes: Vec<_> = requests.iter().map(|ids| floor.hashes(ids)).collect();
    measure(group, "floor", &hashes, order, |hashes| floor.has_any(hashes), false);
}

/// This crate, with keys made when the token was verified: what a request costs behind an authentication layer.
fn ours(group: &mut Group<'_>, requests: &[Ids], (snapshot, overlay): Size, order: &[u32], expected: bool) {
    let peer = Ours::holding(snapshot, overlay);
    let keys: Vec<_> = requests.iter().map(Ids::keys).collect();
    measure(group, "ours", &keys, order, |keys| is_revoked(&peer, keys), expected);
}

fn is_revoked(ours: &Ours, keys: &[Key; 3]) -> bool {
    let credential = Credential::from(*keys).with_issued_at(ISSUED_AT);
    matches!(ours.0.decide(&credential), Verdict::Revoked(_))
}

fn peer<P: Peer>(
    group: &mut Group<'_>,
    name: &str,
    requests: &[Ids],
    (snapshot, overlay): Size,
    order: &[u32],
    expected: bool,
) {
    let peer = P::holding(snapshot, overlay);
    measure(group, name, requests, order, |ids| peer.is_revoked(ids), expected);
}

fn redis_arm(group: &mut Group<'_>, requests: &[Ids], (snapshot, overlay): Size, order: &[u32]) {
    match Redis::holding(snapshot, overlay) {
        Some(redis) => {
            let redis = RefCell::new(redis);
            let is_revoked = |ids: &Ids| redis.borrow_mut().is_revoked(ids);
            measure(group, "redis", requests, order, is_revoked, false);
        }
        None => eprintln!("no redis-server at hand (package redis-server): its arm is left out"),
    }
}

fn busy_peer<P: Peer>(group: &mut Group<'_>, name: &str, requests: &[Ids], (snapshot, overlay): Size, order: &[u32]) {
    while_revoking(&P::holding(snapshot, overlay), |peer| {
        measure(group, name, requests, order, |ids| peer.is_revoked(ids), false);
    });
}

/// Does `work` while one thread revokes at full speed: the same ids again and again, so that nothing grows for ever.
fn while_revoking<P: Peer>(peer: &P, work: impl FnOnce(&P)) {
    let stop = AtomicBool::new(false);
    let new: Vec<_> = subjects(NEW_EVENTS, 100_000).collect();
    thread::scope(|scope| {
        scope.spawn(|| {
            for id in new.iter().cycle() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                peer.revoke(id.clone());
            }
        });
        work(peer);
        stop.store(true, Ordering::Relaxed);
    });
}

fn measure<T>(
    group: &mut Group<'_>,
    name: &str,
    requests: &[T],
    order: &[u32],
    is_revoked: impl Fn(&T) -> bool,
    expected: bool,
) {
    let mut next = order.iter().cycle();
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let request = &requests[*next.next().expect("there are requests") as usize];
            assert_eq!(is_revoked(black_box(request)), expected);
        });
    });
}

fn group<'c>(criterion: &'c mut Criterion, case: &str, (snapshot, overlay): Size) -> Group<'c> {
    let mut group = criterion.benchmark_group(format!("decide/{case}/{}+{}", short(snapshot), short(overlay)));
    group
        .throughput(Throughput::Elements(1))
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    group
}

/// Nothing at all, and each list under each overlay.
fn sizes() -> Vec<Size> {
    if is_test() {
        return vec![(0, 0), (1_000, 0), (1_000, 10_000)];
    }
    let both = |snapshot| OVERLAYS.map(|overlay| (snapshot, overlay));
    [(0, 0)]
        .into_iter()
        .chain(SNAPSHOTS.into_iter().flat_map(both))
        .collect()
}

fn main_size() -> Size {
    if is_test() { (1_000, 0) } else { MAIN }
}

fn random_order() -> Vec<u32> {
    let mut order: Vec<u32> = (0..CREDENTIALS as u32).collect();
    Rng::with_seed(MISSES).shuffle(&mut order);
    order
}

criterion_group!(benches, misses, misses_in_order, hits, while_writing);
criterion_main!(benches);
