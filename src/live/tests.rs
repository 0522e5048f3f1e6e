//! The index by itself: who is called, and that nothing is left behind. How it meets writers is in `tests/interleaving`.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use super::*;
use crate::credential::Credential;
use crate::key::Key;
use crate::reach::{Reaches, Terms};

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Somebody who waits.
struct Waiter {
    seat: Arc<Seat>,
    woken: Arc<Count>,
}

impl Waiter {
    fn enters(live: &Live, keys: &[Key]) -> Self {
        let waiter = Self {
            seat: seat(keys),
            woken: Arc::default(),
        };
        waiter.waits();
        live.enter(&waiter.seat);
        waiter
    }

    fn waits(&self) {
        self.seat.wait(&Waker::from(Arc::clone(&self.woken)));
    }

    fn leaves(&self, live: &Live) {
        live.leave(&self.seat);
    }

    fn woken(&self) -> usize {
        self.woken.0.load(Ordering::Relaxed)
    }
}

fn seat(keys: &[Key]) -> Arc<Seat> {
    let mut credential = Credential::new();
    credential.extend(keys.iter().copied());
    let mut terms = Terms::default();
    terms.set(&credential, &Reaches::default());
    Arc::new(Seat::new(terms))
}

fn everyone(_: &Key) -> impl Fn(&Terms) -> bool + use<> {
    |_| true
}

/// How many keys are waited for.
fn entries(live: &Live) -> usize {
    let entries = Cell::new(0);
    live.call_all(|_| {
        entries.set(entries.get() + 1);
        |_: &Terms| false
    });
    entries.get()
}

#[test]
fn calls_those_who_wait_for_the_key_and_nobody_else() {
    let live = Live::new();
    let (t, s, u) = (Key::token("t"), Key::subject("s"), Key::subject("u"));
    let (one, two, other) = (
        Waiter::enters(&live, &[t, s]),
        Waiter::enters(&live, &[s]),
        Waiter::enters(&live, &[u]),
    );
    live.call(&t, everyone);
    assert_eq!((one.woken(), two.woken(), other.woken()), (1, 0, 0));
    one.waits();
    live.call(&s, everyone);
    assert_eq!((one.woken(), two.woken(), other.woken()), (2, 1, 0));
    live.call(&Key::token("s"), everyone);
    live.call(&u, |_| |_: &Terms| false);
    assert_eq!((live.waiting(), live.woken()), (3, 3));
    assert_eq!(other.woken(), 0, "it is not concerned");
}

#[test]
fn wakes_once_for_as_long_as_nobody_waits_again() {
    let live = Live::new();
    let keys: Vec<_> = (0..6).map(|n| Key::token(&n.to_string())).collect();
    let waiter = Waiter::enters(&live, &keys);
    live.call_all(everyone);
    live.call(&keys[0], everyone);
    assert_eq!((waiter.woken(), live.woken()), (1, 1), "not once for each key");
    waiter.waits();
    live.call_all(everyone);
    assert_eq!(waiter.woken(), 2);
}

#[test]
fn a_crowd_comes_and_goes_and_leaves_nothing() {
    let live = Live::new();
    let tenant = Key::tenant("all");
    let mut crowd: Vec<_> = (0..1_000)
        .map(|n| Waiter::enters(&live, &[tenant, Key::token(&n.to_string()), tenant]))
        .collect();
    assert_eq!((live.waiting(), entries(&live)), (1_000, 1_001));
    let (gone, left) = crowd.split_at(997);
    gone.iter().for_each(|waiter| waiter.leaves(&live));
    live.call(&tenant, everyone);
    assert!(gone.iter().all(|waiter| waiter.woken() == 0) && left.iter().all(|waiter| waiter.woken() == 1));
    crowd.drain(997..).for_each(|waiter| waiter.leaves(&live));
    assert_eq!((live.waiting(), entries(&live)), (0, 0));
    assert!(crowd.iter().all(|waiter| Arc::strong_count(&waiter.seat) == 1));
}

/// What wakes may drop what it wakes, there and then.
#[test]
fn no_lock_is_held_while_somebody_is_woken() {
    struct Leaves(Arc<Live>, std::sync::Mutex<Option<Arc<Seat>>>);

    impl Wake for Leaves {
        fn wake(self: Arc<Self>) {
            let seat = self.1.lock().unwrap().take().unwrap();
            self.0.leave(&seat);
        }
    }

    let live = Arc::new(Live::with_shards(1));
    for n in 0..2 {
        let seat = seat(&[Key::token(&n.to_string())]);
        let leaves = Leaves(Arc::clone(&live), Some(Arc::clone(&seat)).into());
        seat.wait(&Arc::new(leaves).into());
        live.enter(&seat);
    }
    live.call(&Key::token("0"), everyone);
    live.call_all(everyone);
    assert_eq!((live.waiting(), live.woken()), (0, 2));
}

/// Whoever leaves while all are called has another take its place: of those who stay none may be passed over.
#[test]
fn calling_all_misses_nobody_while_others_leave() {
    let live = Live::with_shards(1);
    let key = |n: usize| Key::token(&n.to_string());
    let waiters: Vec<_> = (0..2_000).map(|n| Waiter::enters(&live, &[key(n)])).collect();
    std::thread::scope(|scope| {
        let leaving = scope.spawn(|| waiters.iter().step_by(3).for_each(|waiter| waiter.leaves(&live)));
        while !leaving.is_finished() {
            live.call_all(everyone);
        }
        live.call_all(everyone);
    });
    for (n, waiter) in waiters.iter().enumerate() {
        assert!(n % 3 == 0 || waiter.woken() == 1, "{n}");
    }
}

#[test]
fn is_small() {
    assert_eq!(size_of::<Seat>(), 64);
    assert_eq!(size_of::<watchers::Watchers>(), 16);
}
