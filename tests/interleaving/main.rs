//! Every way in which readers and writers, and in which admission, waiting and revocation can meet, by loom: nobody is let in by a
//! view that is mixed or of yesterday, and no stream is left open.
//!
//! The files under test are the crate's own, compiled once more with loom's lock, waker and a pointer of loom's in place of the
//! real ones ([`sync`]; the waker is loom's own model of one) and, for streams, a small stand-in for the store ([`flight`]). loom then runs each model in every order that the memory
//! model allows, up to a bound on preemptions. A wake-up that gets lost leaves a model's thread waiting for ever, which loom
//! reports as a deadlock. (The files' unit tests come along, and run twice.)

#![allow(dead_code, unused_imports, reason = "a part of the crate does not use all of itself")]
#![allow(
    unreachable_pub,
    unnameable_types,
    reason = "what is public in the crate is not in a test"
)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "../../src/credential.rs"]
mod credential;
#[path = "../../src/event.rs"]
mod event;
mod flight;
#[path = "../../src/key.rs"]
mod key;
#[path = "../../src/left_right/pair.rs"]
mod left_right;
mod live;
#[path = "../../src/mark.rs"]
mod mark;
mod models;
#[path = "../../src/overlay.rs"]
mod overlay;
#[path = "../../src/policy.rs"]
mod policy;
#[path = "../../src/reach.rs"]
mod reach;
#[path = "../../src/secret.rs"]
mod secret;
#[path = "../../src/settings.rs"]
mod settings;
#[path = "../../src/snapshot.rs"]
mod snapshot;
#[path = "../../src/spares.rs"]
mod spares;
#[path = "../../src/state.rs"]
mod state;
mod sync;
#[path = "../../src/table.rs"]
mod table;
#[path = "../../src/timestamp.rs"]
mod timestamp;
#[path = "../../src/verdict.rs"]
mod verdict;
mod views;
#[path = "../../src/watch.rs"]
mod watch;

// Names that the crate's documentation links to.
use event::Reason;
use reach::Reach;
