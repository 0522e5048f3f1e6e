//! A round: one broker, one gateway and its successors, many faults, and whether all is well afterwards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::task::JoinSet;

use crate::broker::Broker;
use crate::deck::Deck;
use crate::faults::Fault;
use crate::gate::Start;
use crate::inflict::inflict;
use crate::load::{Outcome, ask, requests, streams};
use crate::origin::Manner;
use crate::tally::{Tally, add};
use crate::watch::{has_kept_all, until, watch};
use crate::world::{LONG, Word, World};

/// Plays one round, with faults for so long; the last one until each kind of fault was seen.
pub(crate) async fn play(broker: Broker, lasts: Duration, is_last: bool, deck: &mut Deck, tally: &Arc<Tally>) {
    let revocable = (lasts.as_secs_f64() * 1.5 * f64::from(REVOCATIONS)) as usize + 40;
    let world = World::start(broker, revocable, Arc::clone(tally)).await;
    // Ends with this function.
    let mut tasks = JoinSet::new();
    tasks.spawn(watch(Arc::clone(&world)));
    until(&world, HEALED, "ready at first", |status| {
        status["ready"] == true && has_kept_all(status)
    })
    .await;
    for _ in 0..CLIENTS {
        tasks.spawn(requests(Arc::clone(&world), deck.random.fork()));
    }
    for _ in 0..STREAMS {
        tasks.spawn(streams(Arc::clone(&world), deck.random.fork()));
    }
    let revoking = tokio::spawn(revoke(Arc::clone(&world), lasts, deck.random.fork()));

    let started = Instant::now();
    while started.elapsed() < lasts.mul_f64(0.75) {
        turn(&world, deck, None).await;
    }
    world.gate.kill();
    world.set_max_age(SHORT);
    world.start_gateway(Start::Restored).await;
    let is_owed = |passed| {
        is_last
            && tally.is_clean()
            && passed < lasts + EXTENSION
            && !Fault::ALL.iter().all(|fault| tally.was_seen(*fault))
    };
    let mut starving = true;
    while starving || started.elapsed() < lasts || is_owed(started.elapsed()) {
        let without_lists = starving.then(|| deck.random.choice(Fault::WITHOUT_LISTS).expect("there are some"));
        turn(&world, deck, without_lists).await;
        starving = !starving && started.elapsed() < lasts;
    }

    revoking.await.expect("the registry goes on");
    assert_healed(&world).await;
    assert_remembered(&world).await;
    tally
        .acknowledged
        .fetch_add(world.passes.acknowledged() as u64, std::sync::atomic::Ordering::Relaxed);
}

/// Several faults at a time. One that keeps lists away lasts until the list is too old.
async fn turn(world: &World, deck: &mut Deck, without_lists: Option<Fault>) {
    let chosen = deck.deal(&world.tally, without_lists);
    let faults = chosen.into_iter().map(|fault| {
        let pause = Duration::from_millis(deck.random.u64(..600));
        let least = fault.shortest() + Duration::from_millis(deck.random.u64(..800));
        let is_starving = without_lists == Some(fault);
        inflict(world, fault, pause, least, move |status| {
            !is_starving || status["freshness"] == "stale"
        })
    });
    let faults: Vec<_> = faults.collect();
    let are_seen = join_all(faults).await;
    if without_lists.is_some() {
        until(world, HEALED, "fresh with lists", |status| {
            status["freshness"] == "fresh"
        })
        .await;
        if are_seen[0] {
            add(&world.tally.stale);
        }
    }
    tokio::time::sleep(Duration::from_millis(deck.random.u64(..400))).await;
}

/// Revokes agents at a steady rate, and replaces tokens; waits until the registry has done it all.
async fn revoke(world: Arc<World>, lasts: Duration, mut random: fastrand::Rng) {
    let started = Instant::now();
    let mut turns = tokio::time::interval(Duration::from_secs(1) / REVOCATIONS);
    let mut under_way = JoinSet::new();
    while started.elapsed() < lasts {
        turns.tick().await;
        let word = match random.u8(..10) {
            ..6 => Word::Published,
            6 | 7 => Word::Listed,
            _ => Word::Told,
        };
        let world = Arc::clone(&world);
        if random.u8(..10) == 0 {
            under_way.spawn(async move { world.rotate().await });
        } else if let Some(pass) = world.next_to_go() {
            under_way.spawn(async move { world.revoke(pass, word).await });
        }
    }
    under_way.join_all().await;
}

/// Nobody does anything about it: the gateway finds its way back by itself.
async fn assert_healed(world: &World) {
    until(world, HEALED, "healed", |status| {
        let is_fetching = status["poll"]["last_error"].is_null() && status["poll"]["last_success_ms_ago"].is_u64();
        status["feed"]["state"] == "live" && status["freshness"] == "fresh" && is_fetching
    })
    .await;
    let started = Instant::now();
    while let Some(wrong) = first_wrong(world).await {
        assert!(started.elapsed() < HEALED, "not healed after {HEALED:?}: {wrong}");
    }
}

/// Registry and broker are killed for good: all that a gateway knows is what its predecessor kept.
async fn assert_remembered(world: &World) {
    // The last ones by event alone.
    world.origin.answer(Manner::Gone);
    for _ in 0..BY_EVENT {
        let pass = world.next_to_go().expect("there are enough");
        world.revoke(Arc::clone(&pass), Word::Published).await;
        let started = Instant::now();
        while ask(world, &world.gate.current().expect("it runs"), &pass).await != Outcome::Revoked {
            assert!(started.elapsed() < HEALED, "{} is not refused", pass.agent.did);
        }
    }
    until(world, HEALED, "kept", has_kept_all).await;
    world.registry.kill();
    world.broker.lock().await.kill().await;
    world.gate.kill();
    world.set_max_age(LONG);
    // Whether it may refuse for want of a list depends on the last one alone.
    let is_certain = !world.origin.is_ambiguous();
    world.start_gateway(Start::Restored).await;
    match first_wrong(world).await {
        Some(wrong) if is_certain => panic!("forgotten with registry and broker: {wrong}"),
        _ => {}
    }
}

/// The first token that is not treated as it must be.
async fn first_wrong(world: &World) -> Option<String> {
    let gateway = world.gate.current()?;
    for pass in world.passes.all() {
        let due = if pass.is_healthy() {
            Outcome::Admitted
        } else {
            Outcome::Revoked
        };
        let outcome = ask(world, &gateway, &pass).await;
        if outcome != due {
            return Some(format!("{}: {outcome:?}, not {due:?}", pass.agent.did));
        }
    }
    None
}

/// A second.
const REVOCATIONS: u32 = 4;
const CLIENTS: usize = 12;
const STREAMS: usize = 12;

/// How many agents are revoked by event while no list can be had, before all that could say it again is killed.
const BY_EVENT: usize = 10;

/// How old a list may be in the part in which it becomes too old.
const SHORT: Duration = Duration::from_secs(4);

/// How much longer a run may last so that each kind of fault is seen.
const EXTENSION: Duration = Duration::from_secs(90);

/// How long it may take until all is well again.
pub(crate) const HEALED: Duration = Duration::from_secs(30);
