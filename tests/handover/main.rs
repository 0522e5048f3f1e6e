//! Exhaustively, small.

#![allow(dead_code, unused_imports, reason = "a part of the crate does not use all of itself")]
#![allow(
    unreachable_pub,
    unnameable_types,
    reason = "what is public in the crate is not in a test"
)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "../../src/admission.rs"]
mod admission;
mod bugs;
#[path = "../../src/clock.rs"]
mod clock;
#[path = "../../src/credential.rs"]
mod credential;
mod domain;
mod exhaustive;
#[path = "../../src/entry.rs"]
mod entry;
#[path = "../../src/event.rs"]
mod event;
mod journal;
#[path = "../../src/keep.rs"]
mod keep;
#[path = "../../src/key.rs"]
mod key;
mod ledger;
#[path = "../../src/left_right/pair.rs"]
mod left_right;
mod live;
#[path = "../../src/mark.rs"]
mod mark;
mod memory;
mod model;
#[path = "../../src/overlay.rs"]
mod overlay;
#[path = "../../src/policy.rs"]
mod policy;
mod properties;
#[path = "../../src/reach.rs"]
mod reach;
#[path = "../../src/secret.rs"]
mod secret;
#[path = "../../src/snapshot.rs"]
mod snapshot;
#[path = "../../src/state.rs"]
mod state;
#[path = "../../src/status.rs"]
mod status;
mod steps;
#[path = "../../src/store.rs"]
mod store;
#[path = "../../src/sync.rs"]
mod sync;
#[path = "../../src/table.rs"]
mod table;
#[path = "../../src/timestamp.rs"]
mod timestamp;
mod universe;
#[path = "../../src/verdict.rs"]
mod verdict;
mod world;
