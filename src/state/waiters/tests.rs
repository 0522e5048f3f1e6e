//! The index by itself: who is called, and that nothing is left behind. How it meets writers is in `tests/loom`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use super::*;
use crate::model::credential::Credential;
use crate::model::key::Key;
use crate::model::reach::Reaches;
use crate::state::terms::Terms;

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Somebody who waits.
struct TestWaiter {
    seat: Arc<Waiter>,
    woken: Arc<Count>,
}

impl TestWaiter {
    fn enters(live: &WaiterIndex, keys: &[Key]) -> Self {
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

    fn leaves(&self, live: &WaiterIndex) {
        live.leave(&self.seat);
    }

    fn woken(&self) -> usize {
        self.woken.0.load(Ordering::Relaxed)
    }
}

fn seat(keys: &[Key]) -> Arc<Waiter> {
    let mut credential = Credential::new();
    credential.extend(keys.iter().copied());
    let mut terms = Terms::default();
    terms.set(&credential, &Reaches::default());
    Arc::new(Waiter::new(terms))
}

fn everyone(_: &Terms) -> bool {
    true
}

#[test]
fn calls_those_who_wait_for_the_key_and_nobody_else() {
    let live = WaiterIndex::new();
    let (t, s, u) = (Key::token("t"), Key::subject("s"), Key::subject("u"));
    let (one, two, other) = (
        TestWaiter::enters(&live, &[t, s]),
        TestWaiter::enters(&live, &[s]),
        TestWaiter::enters(&live, &[u]),
    );
    live.call(&t, || everyone);
    assert_eq!((one.woken(), two.woken(), other.woken()), (1, 0, 0));
    one.waits();
    live.call(&s, || everyone);
    assert_eq!((one.woken(), two.woken(), other.woken()), (2, 1, 0));
    live.call(&Key::token("s"), || everyone);
    live.call(&u, || |_: &Terms| false);
    assert_eq!((live.waiting(), live.woken()), (3, 3));
    assert_eq!(other.woken(), 0, "it is not concerned");
}

/// It is kept in each shard, and no shard may be passed over.
#[test]
fn a_key_that_many_share_calls_all_who_present_it() {
    let live = WaiterIndex::new();
    let (tenant, other) = (Key::tenant("all"), Key::tenant("other"));
    let waiters: Vec<_> = (0..500)
        .map(|n: usize| {
            TestWaiter::enters(
                &live,
                &[Key::token(&n.to_string()), if n == 0 { other } else { tenant }],
            )
        })
        .collect();
    waiters[1].leaves(&live);
    live.call(&tenant, || everyone);
    let woken: Vec<_> = waiters.iter().map(TestWaiter::woken).collect();
    assert_eq!(
        (woken[..2].to_vec(), woken[2..].iter().all(|woken| *woken == 1)),
        (vec![0, 0], true)
    );
    // And is not gone through a second time where all are called.
    waiters[2..].iter().for_each(TestWaiter::waits);
    live.call_all(everyone);
    assert_eq!(live.woken(), 498 + 499);
    waiters
        .iter()
        .enumerate()
        .filter(|(n, _)| *n != 1)
        .for_each(|(_, waiter)| waiter.leaves(&live));
    assert_eq!(live.waiting(), 0);
    assert!(waiters.iter().all(|waiter| Arc::strong_count(&waiter.seat) == 1));
}

#[test]
fn wakes_once_for_as_long_as_nobody_waits_again() {
    let live = WaiterIndex::new();
    let keys: Vec<_> = (0..6).map(|n| Key::token(&n.to_string())).collect();
    let waiter = TestWaiter::enters(&live, &keys);
    live.call_all(everyone);
    live.call(&keys[0], || everyone);
    assert_eq!((waiter.woken(), live.woken()), (1, 1), "not once for each key");
    waiter.waits();
    live.call_all(everyone);
    assert_eq!(waiter.woken(), 2);
}

#[test]
fn a_crowd_comes_and_goes_and_leaves_nothing() {
    let live = WaiterIndex::new();
    let shared = Key::subject("all");
    let mut crowd: Vec<_> = (0..1_000)
        .map(|n| TestWaiter::enters(&live, &[shared, Key::token(&n.to_string()), shared]))
        .collect();
    assert_eq!(live.waiting(), 1_000);
    let (gone, left) = crowd.split_at(997);
    gone.iter().for_each(|waiter| waiter.leaves(&live));
    live.call(&shared, || everyone);
    assert!(gone.iter().all(|waiter| waiter.woken() == 0) && left.iter().all(|waiter| waiter.woken() == 1));
    crowd.drain(997..).for_each(|waiter| waiter.leaves(&live));
    assert_eq!(live.waiting(), 0);
    assert!(crowd.iter().all(|waiter| Arc::strong_count(&waiter.seat) == 1));
}

/// What wakes may drop what it wakes, there and then.
#[test]
fn no_lock_is_held_while_somebody_is_woken() {
    struct Leaves(Arc<WaiterIndex>, std::sync::Mutex<Option<Arc<Waiter>>>);

    impl Wake for Leaves {
        fn wake(self: Arc<Self>) {
            let seat = self.1.lock().unwrap().take().unwrap();
            self.0.leave(&seat);
        }
    }

    let live = Arc::new(WaiterIndex::with_shards(1));
    for n in 0..2 {
        let seat = seat(&[Key::token(&n.to_string())]);
        let leaves = Leaves(Arc::clone(&live), Some(Arc::clone(&seat)).into());
        seat.wait(&Arc::new(leaves).into());
        live.enter(&seat);
    }
    live.call(&Key::token("0"), || everyone);
    live.call_all(everyone);
    assert_eq!((live.waiting(), live.woken()), (0, 2));
}

/// Has others leave when it is woken.
struct Dismiss(Arc<WaiterIndex>, std::sync::Mutex<Vec<Arc<Waiter>>>);

impl Wake for Dismiss {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().drain(..).for_each(|seat| self.0.leave(&seat));
    }
}

/// Whoever leaves while all are called has another take its place: of those who stay none may be passed over, from
/// whichever end they are called.
#[test]
fn calling_all_misses_nobody_while_others_leave() {
    let live = Arc::new(WaiterIndex::with_shards(1));
    let waiters: Vec<_> = (0..2_000)
        .map(|n: usize| TestWaiter::enters(&live, &[Key::token(&n.to_string())]))
        .collect();
    let leaving = [100..200, 1_200..1_300];
    for (range, dismisser) in leaving.iter().zip([0, 1_999]) {
        let seats = waiters[range.clone()].iter().map(|waiter| Arc::clone(&waiter.seat));
        let dismiss = Dismiss(Arc::clone(&live), seats.collect::<Vec<_>>().into());
        waiters[dismisser].seat.wait(&Arc::new(dismiss).into());
    }
    live.call_all(everyone);
    assert_eq!(live.waiting(), 1_800);
    for (n, waiter) in waiters.iter().enumerate().skip(1).take(1_998) {
        let left = leaving.iter().any(|range| range.contains(&n));
        assert!(left || waiter.woken() == 1, "{n}");
    }
}

/// Its executor may be gone. The others once stayed open for good.
#[test]
fn a_waker_that_panics_keeps_nobody_from_being_woken() {
    struct Broken;

    impl Wake for Broken {
        fn wake(self: Arc<Self>) {
            panic!("on purpose");
        }
    }

    let live = WaiterIndex::new();
    let key = Key::subject("s");
    let waiters: Vec<_> = (0..100).map(|_| TestWaiter::enters(&live, &[key])).collect();
    let broken = seat(&[key]);
    broken.wait(&Arc::new(Broken).into());
    live.enter(&broken);
    live.call(&key, || everyone);
    assert!(waiters.iter().all(|waiter| waiter.woken() == 1));
}

#[test]
fn a_crowd_gives_back_the_room_of_those_who_left() {
    let seats: Vec<_> = (0..10_000).map(|_| seat(&[])).collect();
    let mut watchers = waiters_of_key::WaitersOfKey::One(Arc::clone(&seats[0]));
    watchers.add(&seats[0]);
    assert!(
        matches!(watchers, waiters_of_key::WaitersOfKey::One(_)),
        "nobody is a crowd by himself"
    );
    seats.iter().for_each(|seat| watchers.add(seat));
    assert!(seats[10..].iter().all(|seat| !watchers.remove(seat)));
    let waiters_of_key::WaitersOfKey::Crowd(crowd) = &watchers else {
        panic!("ten are left");
    };
    assert_eq!(crowd.len(), 10);
    assert!(crowd.capacity() < 100, "{}", crowd.capacity());
}

#[test]
fn is_small() {
    assert_eq!(size_of::<Waiter>(), 64);
    assert_eq!(size_of::<waiters_of_key::WaitersOfKey>(), 16);
}
