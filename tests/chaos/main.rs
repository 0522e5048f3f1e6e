//! Chaos, end to end: the gateway under load while registry and broker are killed, hung, answered with garbage and rolled back,
//! and while the clock on the wall is stepped.
//!
//! ```sh
//! cargo build --features full,brokers --examples
//! cargo test --features full,brokers --test chaos -- --nocapture
//! CHAOS_SEED=7 CHAOS_MINUTES=5 cargo test --features full,brokers --test chaos -- --nocapture
//! ```
//!
//! It takes the Debian packages nats-server, redis-server and faketime; what is missing makes it fail and say so. The seed picks
//! the [faults](faults), their lengths and their company, and whom the load asks for; how the processes get in each other's way is the
//! machine's. Each half of the time has its own world: one with NATS, one with Redis.
//!
//! # What must hold
//!
//! **No token is admitted after its revocation was acknowledged.** It is acknowledged
//!
//! 1. *for one process of the gateway*, from the moment on that this process refused it as revoked, or said in its status that a
//!    list is installed which the origin knows to carry it;
//! 2. *for this and every later process*, as soon as such a process shows, in a status asked for after that moment, that all that it
//!    has in force is on disk: as many keys are kept as are held, and the list that is kept is the one installed;
//! 3. *for every process* as well, when the gateway was told by webhook and answered "applied".
//!
//! That the registry has revoked it is not enough: events and lists take their time, and are kept away here on purpose. That they do
//! arrive is what the end of each round shows. Requests count by the time they were sent. Streams have to break off, with 2 s for
//! what is under way.
//!
//! **No healthy agent is refused.** One that nobody has asked to revoke gets no 401, and a 503 only as the stale policy says: for want
//! of a list. By the faults that were inflicted there is none to be had in a process that found no journal or a damaged one, or a list
//! of which its second has another; and in the last quarter of each round, in which a list may be no older than 4 s. Everywhere else
//! any 503 is one too many. Where it may happen, it must not for as long as the gateway's own word on its list's age rules out. A
//! token that was issued later than the gateway's stepped clock shows is refused by its authentication, and counted apart.
//! Streams of healthy agents do not break while their gateway lives.
//!
//! **It heals by itself**: when all faults are over, the feed is live and the list fresh within 30 s, every revoked token is
//! refused and every healthy one admitted. And **it remembers**: with registry and broker killed for good, a new process knows all that
//! the last one did.
//!
//! No answer is a violation where the gateway lives and the agent is healthy, after 5 s: it is stopped for less, and waits for nobody.
//! A run in which too little happened fails, and so does one in which a kind of fault was never seen to have its effect.

#![cfg(target_os = "linux")]
#![expect(clippy::print_stdout, reason = "`--nocapture` shows what happened")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod broker;
mod client;
mod deck;
mod faults;
mod gate;
mod gateway;
mod inflict;
mod lists;
mod load;
mod origin;
mod passes;
mod registry;
mod round;
mod tally;
mod wall_clock;
mod watch;
mod world;

use std::env;
use std::error::Error;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::broker::Broker;
use crate::deck::Deck;
use crate::limit::within;
use crate::round::play;
use crate::server::{NatsServer, RedisServer};
use crate::tally::Tally;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_revoked_is_admitted_and_nobody_healthy_refused() {
    let set = |name: &str| env::var(name).ok();
    let seed = set("CHAOS_SEED").map_or_else(|| fastrand::u64(..1_000_000), |seed| seed.parse().expect("a number"));
    let minutes: f64 = set("CHAOS_MINUTES").map_or(1.0, |minutes| minutes.parse().expect("a number"));
    println!("CHAOS_SEED={seed} CHAOS_MINUTES={minutes}");
    let mut deck = Deck::shuffled(seed);
    let tally = Arc::new(Tally::new(seed));
    let _shown_if_it_fails = Shown(Arc::clone(&tally));
    let half = Duration::from_secs_f64(minutes * 30.0);
    let nats_first = deck.random.bool();
    let limit = 4 * half + Duration::from_secs(300);
    let played = async {
        for is_last in [false, true] {
            let broker = match is_last ^ nats_first {
                true => Broker::Nats(NatsServer::start().await),
                false => Broker::Redis(RedisServer::start().await),
            };
            println!("{:?} over {}", half, broker.name());
            play(broker, half, is_last, &mut deck, &tally).await;
            println!("{tally}");
        }
    };
    within(limit, played).await;
    tally.assert(minutes);
}

/// Shows what was counted when the test cannot go on.
struct Shown(Arc<Tally>);

impl Drop for Shown {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("{}{}", self.0, self.0.violations());
        }
    }
}

/// What ends the queue's two ends.
type Failure = Box<dyn Error + Send + Sync>;

// The brokers' tests know how to run them, the gateway's how to find it, and the gateway itself how to publish.
#[path = "../support/limit.rs"]
mod limit;
#[path = "../support/link.rs"]
mod link;
#[path = "../support/process.rs"]
#[expect(dead_code, reason = "not all of it is wanted here")]
mod process;
#[path = "../../examples/gateway/queue/mod.rs"]
#[expect(dead_code, unused_imports, reason = "nothing is read here")]
mod queue;
#[path = "../support/server/mod.rs"]
#[expect(dead_code, unused_imports, reason = "not all of them are wanted here")]
mod server;
#[path = "../support/web.rs"]
#[expect(dead_code, reason = "not all of it is wanted here")]
mod web;
