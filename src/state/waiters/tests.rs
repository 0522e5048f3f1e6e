//! The index by itself: whom it wakes, and that it leaves nothing behind. `tests/loom` checks how it meets writers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use super::*;
use crate::model::credential::Credential;
use crate::model::key::Key;
use crate::model::reach::Reaches;
use crate::state::terms::Terms;

/// A waker that counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A waiter with a waker that counts.
struct TestWaiter {
    inner: Arc<Waiter>,
    woken: Arc<Count>,
}

impl TestWaiter {
    fn enters(index: &WaiterIndex, keys: &[Key]) -> Self {
        let waiter = Self {
            inner: waiter_of(keys),
            woken: Arc::default(),
        };
        waiter.waits();
        index.enter(&waiter.inner);
        waiter
    }

    fn waits(&self) {
        self.inner.wait(&Waker::from(Arc::clone(&self.woken)));
    }

    fn leaves(&self, index: &WaiterIndex) {
        index.leave(&self.inner);
    }

    fn woken(&self) -> usize {
        self.woken.0.load(Ordering::Relaxed)
    }
}

fn waiter_of(keys: &[Key]) -> Arc<Waiter> {
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
    let index = WaiterIndex::new();
    let (t, s, u) = (Key::token("t"), Key::subject("s"), Key::subject("u"));
    let (one, two, other) = (
        TestWaiter::enters(&index, &[t, s]),
        TestWaiter::enters(&index, &[s]),
        TestWaiter::enters(&index, &[u]),
    );
    index.call(&t, || everyone);
    assert_eq!((one.woken(), two.woken(), other.woken()), (1, 0, 0));
    one.waits();
    index.call(&s, || everyone);
    assert_eq!((one.woken(), two.woken(), other.woken()), (2, 1, 0));
    index.call(&Key::token("s"), || everyone);
    index.call(&u, || |_: &Terms| false);
    assert_eq!((index.waiting(), index.woken()), (3, 3));
    assert_eq!(other.woken(), 0, "it is not concerned");
}

/// It is held in each shard, and no shard may be left out.
#[test]
fn a_key_that_many_share_calls_all_who_present_it() {
    let index = WaiterIndex::new();
    let (tenant, other) = (Key::tenant("all"), Key::tenant("other"));
    let waiters: Vec<_> = (0..500)
        .map(|n: usize| {
            TestWaiter::enters(
                &index,
                &[Key::token(&n.to_string()), if n == 0 { other } else { tenant }],
            )
        })
        .collect();
    waiters[1].leaves(&index);
    index.call(&tenant, || everyone);
    let woken: Vec<_> = waiters.iter().map(TestWaiter::woken).collect();
    assert_eq!(
        (woken[..2].to_vec(), woken[2..].iter().all(|woken| *woken == 1)),
        (vec![0, 0], true)
    );
    // Where all are called, it is not visited a second time.
    waiters[2..].iter().for_each(TestWaiter::waits);
    index.call_all(everyone);
    assert_eq!(index.woken(), 498 + 499);
    waiters
        .iter()
        .enumerate()
        .filter(|(n, _)| *n != 1)
        .for_each(|(_, waiter)| waiter.leaves(&index));
    assert_eq!(index.waiting(), 0);
    assert!(waiters.iter().all(|waiter| Arc::strong_count(&waiter.inner) == 1));
}

#[test]
fn wakes_once_for_as_long_as_nobody_waits_again() {
    let index = WaiterIndex::new();
    let keys: Vec<_> = (0..6).map(|n| Key::token(&n.to_string())).collect();
    let waiter = TestWaiter::enters(&index, &keys);
    index.call_all(everyone);
    index.call(&keys[0], || everyone);
    assert_eq!((waiter.woken(), index.woken()), (1, 1), "not once for each key");
    waiter.waits();
    index.call_all(everyone);
    assert_eq!(waiter.woken(), 2);
}

#[test]
fn a_crowd_comes_and_goes_and_leaves_nothing() {
    let index = WaiterIndex::new();
    let shared = Key::subject("all");
    let mut crowd: Vec<_> = (0..1_000)
        .map(|n| TestWaiter::enters(&index, &[shared, Key::token(&n.to_string()), shared]))
        .collect();
    assert_eq!(index.waiting(), 1_000);
    let (gone, left) = crowd.split_at(997);
    gone.iter().for_each(|waiter| waiter.leaves(&index));
    index.call(&shared, || everyone);
    assert!(gone.iter().all(|waiter| waiter.woken() == 0) && left.iter().all(|waiter| waiter.woken() == 1));
    crowd.drain(997..).for_each(|waiter| waiter.leaves(&index));
    assert_eq!(index.waiting(), 0);
    assert!(crowd.iter().all(|waiter| Arc::strong_count(&waiter.inner) == 1));
}

/// A waker may at once drop what it wakes.
#[test]
fn no_lock_is_held_while_somebody_is_woken() {
    struct Leaves(Arc<WaiterIndex>, std::sync::Mutex<Option<Arc<Waiter>>>);

    impl Wake for Leaves {
        fn wake(self: Arc<Self>) {
            let inner = self.1.lock().unwrap().take().unwrap();
            self.0.leave(&inner);
        }
    }

    let index = Arc::new(WaiterIndex::with_shards(1));
    for n in 0..2 {
        let inner = waiter_of(&[Key::token(&n.to_string())]);
        let leaves = Leaves(Arc::clone(&index), Some(Arc::clone(&inner)).into());
        inner.wait(&Arc::new(leaves).into());
        index.enter(&inner);
    }
    index.call(&Key::token("0"), || everyone);
    index.call_all(everyone);
    assert_eq!((index.waiting(), index.woken()), (0, 2));
}

/// A waker that lets others leave when it is woken.
struct Dismiss(Arc<WaiterIndex>, std::sync::Mutex<Vec<Arc<Waiter>>>);

impl Wake for Dismiss {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().drain(..).for_each(|inner| self.0.leave(&inner));
    }
}

/// When a waiter leaves while all are called, another takes its place: none of those who stay may be left out, from
/// either end.
#[test]
fn calling_all_misses_nobody_while_others_leave() {
    let index = Arc::new(WaiterIndex::with_shards(1));
    let waiters: Vec<_> = (0..2_000)
        .map(|n: usize| TestWaiter::enters(&index, &[Key::token(&n.to_string())]))
        .collect();
    let leaving = [100..200, 1_200..1_300];
    for (range, dismisser) in leaving.iter().zip([0, 1_999]) {
        let leaving = waiters[range.clone()].iter().map(|waiter| Arc::clone(&waiter.inner));
        let dismiss = Dismiss(Arc::clone(&index), leaving.collect::<Vec<_>>().into());
        waiters[dismisser].inner.wait(&Arc::new(dismiss).into());
    }
    index.call_all(everyone);
    assert_eq!(index.waiting(), 1_800);
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

    let index = WaiterIndex::new();
    let key = Key::subject("s");
    let waiters: Vec<_> = (0..100).map(|_| TestWaiter::enters(&index, &[key])).collect();
    let broken = waiter_of(&[key]);
    broken.wait(&Arc::new(Broken).into());
    index.enter(&broken);
    index.call(&key, || everyone);
    assert!(waiters.iter().all(|waiter| waiter.woken() == 1));
}

#[test]
fn a_crowd_gives_back_the_room_of_those_who_left() {
    let waiters: Vec<_> = (0..10_000).map(|_| waiter_of(&[])).collect();
    let mut waiters_of_one = waiters_of_key::WaitersOfKey::One(Arc::clone(&waiters[0]));
    waiters_of_one.add(&waiters[0]);
    assert!(
        matches!(waiters_of_one, waiters_of_key::WaitersOfKey::One(_)),
        "nobody is a crowd by himself"
    );
    waiters.iter().for_each(|inner| waiters_of_one.add(inner));
    assert!(waiters[10..].iter().all(|inner| !waiters_of_one.remove(inner)));
    let waiters_of_key::WaitersOfKey::Crowd(crowd) = &waiters_of_one else {
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
