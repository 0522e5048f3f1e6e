//! Exhaustively, small: how feed, poll, overlay, list, journal and restart hand over to each other, in every order and with a crash
//! at every step.
//!
//! stateright goes through every state that a few small [universes](exhaustive) can reach. In each of them invariants 2, 3, 4 and 8
//! of the design hold ([`properties`]): decisions depend on what was said and on nothing else; nothing comes back by accident; no
//! list is rolled back; every message ends in one way, and not before it is durable. What is owed for what was said is noted
//! by a naive [`ledger`]. And each of many [bugs] is found.
//!
//! # What is the crate's own
//!
//! Whatever decides something is the crate's own code, compiled once more into this program. The model calls it and looks at what
//! came of it; since that is always the same, it is called once for each thing that can be asked:
//!
//! - [`memory`] is what is in force, as a value. A real `Store` is made of it, with overlay, states of keys, list and what is known of earlier
//!   lists, and does what is to be done: `merge_to_keep`, `install` (by `accept::accept_list`), `install_kept`, `set_needs_list`, `decide`;
//!   `Step::Forget` is run by a real `State`.
//! - [`journal::disk`] is what the database holds, as a value. A real database in memory is made of it, and written by
//!   `request::Item::put` in one commit of a `JournalDatabase`; what may go is told by the `ExpiryRule` and the `Expiry` of `expiry.rs`.
//!
//! # What is modelled
//!
//! In which order the crate calls all that: [`steps`] names the place of each step. An async function becomes as many steps as it
//! has places where something else may come first, and what it remembers between them is in [`world`].
//!
//! - **Broker.** It delivers in any order, each message any number of times until it hears of its end, and now and then once more
//!   after that. A message whose publication fails is one that never comes. Each is settled by itself, as queues have it.
//! - **JournalWriter.** All that waits is one commit. It is written, or it isn't, or it is and nobody hears of it.
//! - **Poller.** It gets any list at any time, since caches hold copies of all, or an unsigned answer that there is none. A list
//!   that is being kept hinders no fetch, and no other list is kept meanwhile.
//! - **Process.** It may end between any two steps. The next one begins with `EventSink::keep_in`; its poller restores the kept
//!   list before it fetches any, and events come before, between and after that.
//! - **Policy.** It fails open, which is the harder one: whoever fails closed refuses on the same grounds, and more.
//!
//! # What is assumed
//!
//! - A commit is there as a whole or not at all, and so is a file that is put in its place by a rename. The journal's own tests see
//!   to power failures, damage, and disks that lie.
//! - What is in force and was not answered for may be gone after a crash: an event that is not acknowledged comes again, a list
//!   that was not kept is fetched again. Until then an older list than that one may be in force, which the models reach.
//!
//! # What is left out
//!
//! - Time. It stands still: nothing expires, no list grows stale, no pause is waited for. That the time of a key's entries is
//!   over happens at any moment, by the wall clock and the monotonic one at once.
//! - A journal that is lost, damage to anything but the kept list, keys that nobody knows, reasons other than the default one, several events in one message,
//!   hosts that install lists by themselves, confirmations (`304`), and more than one replica.
//! - From where a log is read after a restart (`source/driver/since.rs`): by time, so that the list has to say what came before. After a cut
//!   it is read from a position, which has a [model of its own](source).
//! - Threads: two calls to one store are one after the other, as its lock has it. `tests/loom` has the rest.

#![allow(dead_code, unused_imports, reason = "a part of the crate does not use all of itself")]
#![allow(
    unreachable_pub,
    unnameable_types,
    reason = "what is public in the crate is not in a test"
)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod bugs;
mod common;
mod domain;
mod exhaustive;
mod journal;
mod ledger;
mod machine;
mod memory;
mod model;
mod properties;
mod source;
mod state;
#[path = "../../src/status/mod.rs"]
mod status;
mod steps;
mod universe;
mod world;
