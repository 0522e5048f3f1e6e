//! Every way in which readers and writers, and in which admission, waiting and revocation can meet, by loom: nobody is let in by a
//! view that is mixed or of yesterday, and no stream is left open.
//!
//! The files under test are the crate's own, compiled once more with loom's lock, waker and a pointer of loom's in place of the
//! real ones ([`sync`]; the waker is loom's own model of one) and, for streams, a small stand-in for the store ([`in_flight::enforcer`]). loom then runs each model in every order that the memory
//! model allows, up to a bound on preemptions. A wake-up that gets lost leaves a model's thread waiting for ever, which loom
//! reports as a deadlock. (The files' unit tests come along, and run twice.)

#![allow(dead_code, unused_imports, reason = "a part of the crate does not use all of itself")]
#![allow(
    unreachable_pub,
    unnameable_types,
    reason = "what is public in the crate is not in a test"
)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;
mod in_flight;
mod model;
mod models;
mod state;
mod views;

// Names that the crate's documentation links to.
use model::event::Reason;
use model::reach::Reach;
