//! Readers, event writers, list installs and pruning at once: visible on return (invariant 1), and nobody sees a mixed view.
//!
//! `STORM_SECS` makes each storm last longer. What loom can go through in every order is in `tests/loom`.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body_util::Full;
use tower::{Service, service_fn};
use tower_layer::Layer;
use tower_revocation::{Applied, Credential, Key, Revocation, RevocationLayer, RevocationList, Timestamp, Verdict};

use crate::support::Carrying;

/// How long each storm lasts: long enough for what is looked for once a second.
fn length() -> Duration {
    let secs = std::env::var("STORM_SECS").map(|secs| secs.parse().unwrap());
    secs.map_or(Duration::from_millis(2_500), Duration::from_secs)
}

type Presenting = Request<Carrying<Credential>>;

fn by_body(request: &Presenting) -> Credential {
    request.body().0.clone()
}

fn asker<I>(layer: &RevocationLayer<I>) -> impl FnMut(Credential) -> bool + Send + use<I>
where
    I: tower_revocation::Identify<Presenting> + Clone + Send + Sync,
{
    let ok = service_fn(|_: Presenting| {
        std::future::ready(Ok::<_, std::convert::Infallible>(Response::new(
            Full::<bytes::Bytes>::default(),
        )))
    });
    let mut service = layer.layer(ok);
    move |credential| {
        let mut future = Box::pin(service.call(Request::new(Carrying(credential))));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(Ok(response)) => response.status() == 401,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_decision_that_starts_after_apply_has_returned_sees_it() {
    let (layer, sink) = RevocationLayer::pair(by_body);
    // A long storm on a fast machine brings more events than there is room for by default.
    sink.configure(|config| config.with_capacity(NonZeroUsize::MAX));
    sink.install(RevocationList::builder(Timestamp::now()).build()).unwrap();
    let (applied, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let (installs, looks) = (Count::up_to(2), Count::up_to(1_000));
    let key = |n: u64| Key::subject(&n.to_string());
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                n += 1;
                if n % 10 == 0 {
                    let batch = (0..5).map(|i| Revocation::block(key(n + i)));
                    sink.apply_all(batch).unwrap().wait().unwrap();
                    n += 4;
                } else {
                    sink.apply(Revocation::block(key(n))).unwrap().wait().unwrap();
                }
                applied.store(n, Ordering::Release);
            }
        });
        scope.spawn(|| {
            let base = Timestamp::now().as_unix_secs() - 1_000_000;
            while !stop.load(Ordering::Relaxed) {
                installs.one_more();
                // The list takes some of the keys over, and the overlay lets go of them.
                let upto = applied.load(Ordering::Acquire);
                let mut list = RevocationList::builder(Timestamp::from_unix_secs(base + 2_000_000));
                for n in (1..=upto).step_by(7) {
                    list.push(&Revocation::block(key(n)).at(Timestamp::now()));
                }
                // All of one second, so that none may take back what another said.
                let _ = sink.install(list.build());
                thread::yield_now();
            }
        });
        let readers: Vec<_> = (0..2)
            .map(|seed| {
                let (applied, stop, looks, mut is_revoked) = (&applied, &stop, &looks, asker(&layer));
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(seed);
                    while !stop.load(Ordering::Relaxed) {
                        let upto = applied.load(Ordering::Acquire);
                        if upto == 0 {
                            continue;
                        }
                        for n in [upto, random.u64(1..=upto)] {
                            assert!(is_revoked(key(n).into()), "{n} of {upto} was admitted");
                            looks.one_more();
                        }
                        assert!(!is_revoked(Key::subject("nobody").into()));
                    }
                })
            })
            .collect();
        let start = Instant::now();
        let is_enough = || installs.is_enough() && looks.is_enough() && applied.load(Ordering::Relaxed) > 1_000;
        while goes_on(start, is_enough) && !readers.iter().any(thread::ScopedJoinHandle::is_finished) {
            thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        assert!(
            is_enough(),
            "{applied:?} events, {installs:?} installs, {looks:?} looks"
        );
    });
}

#[test]
fn a_batch_is_seen_as_a_whole() {
    let (layer, sink) = RevocationLayer::pair(by_body);
    // A long storm on a fast machine brings more events than there is room for by default.
    sink.configure(|config| config.with_capacity(NonZeroUsize::MAX));
    sink.install(RevocationList::builder(Timestamp::now()).build()).unwrap();
    let (started, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let key = |n: u64, part: &str| Key::subject(&format!("{n} {part}"));
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                started.store(n, Ordering::Release);
                sink.apply_all(["a", "b"].map(|part| Revocation::block(key(n, part))))
                    .unwrap()
                    .wait()
                    .unwrap();
            }
        });
        let mut is_revoked = asker(&layer);
        let start = Instant::now();
        let mut seen = 0_u64;
        while goes_on(start, || seen > 0) {
            let n = started.load(Ordering::Acquire);
            // If the second part isn't there yet, a look that came before can't have seen the first.
            let first = is_revoked(key(n, "b").into());
            let second = is_revoked(key(n, "a").into());
            assert!(!first || second, "half a batch");
            seen += u64::from(first);
        }
        stop.store(true, Ordering::Relaxed);
        assert!(seen > 0);
    });
}

/// Entries are forgotten, and taken over by lists, while others look: what either says is refused throughout.
#[test]
fn nobody_is_let_in_while_something_is_forgotten_or_taken_over() {
    let (layer, sink) = RevocationLayer::pair(by_body);
    sink.configure(|config| {
        config
            .with_leeway(Duration::ZERO)
            .with_capacity(NonZeroUsize::new(500).unwrap())
    });
    let epoch = Timestamp::now().as_unix_secs() - 1_000_000;
    let (listed, kept) = (Key::subject("listed"), Key::subject("kept"));
    let install = |nth: u64| {
        let list = RevocationList::builder(Timestamp::from_unix_secs(epoch + nth));
        // As of later than any event, so that the list takes each of them over.
        let at = Timestamp::from_unix_secs(epoch + 2_000_000);
        sink.install(list.with_entry(&Revocation::block(listed).at(at)).build())
            .unwrap();
    };
    install(0);
    sink.apply(Revocation::block(kept)).unwrap().wait().unwrap();
    let stop = AtomicBool::new(false);
    let (forgotten, installs) = (Count::up_to(1), Count::up_to(20));
    let (events, looks) = (Count::up_to(1_000), Count::up_to(1_000));
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut held = 0;
            while !stop.load(Ordering::Relaxed) {
                let nth = events.one_more();
                let now = Timestamp::now();
                let brief = Key::subject(&nth.to_string());
                // Those for which there is no room yet are to be repeated.
                if sink
                    .apply(Revocation::block(brief).forget_at(now))
                    .and_then(Applied::wait)
                    .is_ok()
                {
                    assert!(matches!(sink.decide(&brief.into()), Verdict::Revoked(_)), "{nth}");
                }
                sink.apply(Revocation::block(listed).at(now).forget_at(now))
                    .and_then(Applied::wait)
                    .unwrap_or_default();
                let holds = sink.status().overlay.entries;
                if holds + 100 < held {
                    forgotten.one_more();
                }
                held = holds;
            }
        });
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                install(installs.one_more());
            }
        });
        let mut is_revoked = asker(&layer);
        let start = Instant::now();
        let is_enough = || {
            [&events, &forgotten, &installs, &looks]
                .iter()
                .all(|count| count.is_enough())
        };
        while goes_on(start, is_enough) && !writer.is_finished() {
            assert!(is_revoked(listed.into()), "what the list says was admitted");
            assert!(is_revoked(kept.into()), "what an event says was admitted");
            assert!(!is_revoked(Key::subject("nobody").into()));
            looks.one_more();
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap();
        assert!(
            is_enough(),
            "{events:?} events, forgotten {forgotten:?} times, {installs:?} installs, {looks:?} looks"
        );
    });
}

/// How often something happened, and how often it has to at least.
#[derive(Debug)]
struct Count {
    so_far: AtomicU64,
    wanted: u64,
}

impl Count {
    const fn up_to(wanted: u64) -> Self {
        Self {
            so_far: AtomicU64::new(0),
            wanted,
        }
    }

    fn one_more(&self) -> u64 {
        self.so_far.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn is_enough(&self) -> bool {
        self.so_far.load(Ordering::Relaxed) >= self.wanted
    }
}

/// Whether a storm goes on: for its time, and on a busy machine until enough has happened for it to show anything.
fn goes_on(start: Instant, is_enough: impl FnOnce() -> bool) -> bool {
    start.elapsed() < length() || (start.elapsed() < PATIENCE && !is_enough())
}

const PATIENCE: Duration = Duration::from_secs(120);
