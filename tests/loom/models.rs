//! The models.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use loom::future::block_on;
use loom::thread;

use crate::in_flight::enforcer::{Enforcer, Store, key};
use crate::in_flight::watch::Watch;
use crate::model::credential::Credential;
use crate::model::key::Key;
use crate::model::reach::Reaches;
use crate::state::terms::Terms;
use crate::state::waiters::Waiter;

/// Runs a model in every order, with up to this many preemptions.
pub(crate) fn explore(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    // A writer yields up to a thousand times to a reader that does not leave.
    builder.max_branches = 20_000;
    let orders = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&orders);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let orders = orders.load(Ordering::Relaxed);
    assert!(orders > 50, "only {orders} orders were tried");
    eprintln!("{orders} orders");
}

fn credential() -> Credential {
    Credential::from([key(), Key::subject("s")])
}

/// Waits for its revocation as a body does that has nothing to say, from admission on. Returns if it was revoked.
fn stream(enforcer: &Arc<Enforcer>) {
    let Some(version) = enforcer.domain.store.admit() else {
        return;
    };
    let mut watch = Watch::new(enforcer, &credential(), version);
    block_on(poll_fn(|context| match watch.revoked() {
        Some(why) => Poll::Ready(why),
        None => watch.poll_revoked(context),
    }));
}

/// Whoever was told has left.
fn assert_nobody_waits(enforcer: &Enforcer) {
    assert_eq!(enforcer.domain.store.waiters.waiting(), 0);
}

fn beside(enforcer: &Arc<Enforcer>, work: impl FnOnce(&Store) + 'static) -> thread::JoinHandle<()> {
    let enforcer = Arc::clone(enforcer);
    thread::spawn(move || work(&enforcer.domain.store))
}

#[test]
fn an_event_reaches_a_stream_whenever_it_comes() {
    explore(4, || {
        let enforcer = Enforcer::new();
        let writer = beside(&enforcer, Store::revoke);
        stream(&enforcer);
        writer.join().unwrap();
        assert_nobody_waits(&enforcer);
    });
}

#[test]
fn a_list_reaches_a_stream_whenever_it_comes() {
    explore(4, || {
        let enforcer = Enforcer::new();
        let writer = beside(&enforcer, Store::install);
        stream(&enforcer);
        writer.join().unwrap();
    });
}

#[test]
fn events_for_others_hide_nothing() {
    explore(3, || {
        let enforcer = Enforcer::new();
        let other = beside(&enforcer, Store::revoke_another);
        let writer = beside(&enforcer, Store::revoke);
        stream(&enforcer);
        writer.join().unwrap();
        other.join().unwrap();
    });
}

#[test]
fn a_stream_that_ends_takes_no_other_with_it() {
    explore(3, || {
        let enforcer = Enforcer::new();
        let mut leaving = Watch::new(&enforcer, &credential(), 0);
        let _ = leaving.poll_revoked(&mut Context::from_waker(Waker::noop()));
        let writer = beside(&enforcer, Store::revoke);
        drop(leaving);
        stream(&enforcer);
        writer.join().unwrap();
        assert_nobody_waits(&enforcer);
    });
}

/// A handler that may be dropped waits first, then the body of its response, in another task.
#[test]
fn the_last_to_wait_is_woken() {
    explore(3, || {
        let enforcer = Enforcer::new();
        let writer = beside(&enforcer, Store::revoke);
        let mut watch = Watch::new(&enforcer, &credential(), 0);
        let mut by_handler = Context::from_waker(Waker::noop());
        if watch.poll_revoked(&mut by_handler).is_pending() {
            block_on(poll_fn(|by_body| watch.poll_revoked(by_body)));
        }
        writer.join().unwrap();
    });
}

/// A body that always has something to say never waits: it asks before each piece.
#[test]
fn a_busy_stream_sees_what_happened_before_its_next_piece() {
    explore(4, || {
        let enforcer = Enforcer::new();
        let others = [
            beside(&enforcer, Store::revoke),
            beside(&enforcer, Store::revoke_another),
        ];
        let watch = enforcer.domain.store.admit();
        let mut watch = watch.map(|version| Watch::new(&enforcer, &credential(), version));
        let before = watch.as_mut().is_none_or(|watch| watch.revoked().is_some());
        others.into_iter().for_each(|other| other.join().unwrap());
        let after = watch.as_mut().is_none_or(|watch| watch.revoked().is_some());
        assert!(before || after, "apply had returned");
    });
}

/// The order of things that the index asks for is needed: loom finds what is lost without it.
#[test]
#[should_panic(expected = "neither told nor woken")]
fn looking_before_entering_would_lose_a_wake_up() {
    explore(3, || {
        let enforcer = Enforcer::new();
        let writer = beside(&enforcer, Store::revoke);
        let store = &enforcer.domain.store;
        let mut terms = Terms::default();
        terms.set(&credential(), &Reaches::default());
        let waiter = Arc::new(Waiter::new(terms));
        let woken = Arc::new(Woken::default());
        let is_told = store.ending(waiter.terms(), &mut { u64::MAX }).is_some();
        waiter.wait(&Arc::clone(&woken).into());
        store.waiters.enter(&waiter);
        writer.join().unwrap();
        assert!(is_told || woken.is_set(), "neither told nor woken");
    });
}

/// And so is the order that the store keeps.
#[test]
#[should_panic(expected = "neither told nor woken")]
fn calling_before_publishing_would_lose_a_wake_up() {
    explore(3, || {
        tell_or_wake(|store| {
            store.waiters.call(&key(), || |_: &Terms| true);
            store.publish(1);
        })
    });
}

/// The same model with the right order, so that it can be seen to be the order that matters.
#[test]
fn publishing_before_calling_loses_none() {
    explore(4, || tell_or_wake(Store::revoke));
}

fn tell_or_wake(revoke: impl FnOnce(&Store) + 'static) {
    let enforcer = Enforcer::new();
    let writer = beside(&enforcer, revoke);
    let woken = Arc::new(Woken::default());
    let mut watch = Watch::new(&enforcer, &credential(), 0);
    let is_told = watch
        .poll_revoked(&mut Context::from_waker(&Arc::clone(&woken).into()))
        .is_ready();
    writer.join().unwrap();
    assert!(is_told || woken.is_set(), "neither told nor woken");
}

/// A waker that notes that it was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Woken {
    fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}
