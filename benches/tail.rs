//! How long do the slowest decisions take while events pour in? Prints percentiles; Criterion knows medians alone.
//!
//! Each decision is timed by itself, so that some 25 ns of clock are in every figure, of every arm alike.

#![expect(clippy::print_stdout, reason = "figures are what it is for")]

mod common;
#[path = "common/peers.rs"]
mod peers;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use common::{CREDENTIALS, Ids, MISSES, NEW_EVENTS, is_test, requests, subjects};
use peers::{Ours, Peer, RwLockHashSet};

fn main() {
    let (snapshot, overlay, decisions) = if is_test() {
        (1_000, 100, 10_000)
    } else {
        (1_000_000, 10_000, 5_000_000)
    };
    let requests = requests(MISSES, CREDENTIALS);
    println!("{snapshot} listed, {overlay} in the overlay, {decisions} decisions; in ns");
    println!(
        "{:<16} {:<8} {:>8} {:>8} {:>8} {:>10} {:>12}",
        "arm", "writer", "p50", "p99", "p99.9", "max", "events/s"
    );
    for is_busy in [false, true] {
        arm::<Ours>("ours_from_text", &requests, snapshot, overlay, decisions, is_busy);
        arm::<RwLockHashSet>("rwlock_hashset", &requests, snapshot, overlay, decisions, is_busy);
    }
}

fn arm<P: Peer>(name: &str, requests: &[Ids], snapshot: usize, overlay: usize, decisions: usize, is_busy: bool) {
    let peer = P::holding(snapshot, overlay);
    let (stop, events) = (AtomicBool::new(!is_busy), AtomicU64::new(0));
    let new: Vec<_> = subjects(NEW_EVENTS, 100_000).collect();
    let start = Instant::now();
    let mut times = thread::scope(|scope| {
        scope.spawn(|| {
            for id in new.iter().cycle() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                peer.revoke(id.clone());
                events.fetch_add(1, Ordering::Relaxed);
            }
        });
        let decide = |ids: &Ids| {
            let start = Instant::now();
            let is_revoked = peer.is_revoked(ids);
            let took = start.elapsed();
            assert!(!is_revoked);
            u32::try_from(took.as_nanos()).unwrap_or(u32::MAX)
        };
        let times: Vec<u32> = requests.iter().cycle().take(decisions).map(decide).collect();
        stop.store(true, Ordering::Relaxed);
        times
    });
    let rate = events.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "{name:<16} {:<8} {:>8} {:>8} {:>8} {:>10} {rate:>12.0}",
        if is_busy { "busy" } else { "none" },
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
    );
}
