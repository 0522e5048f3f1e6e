//! What outlives a process: events, the list, and the word that no older list is ever believed again.
//!
//! A program of its own, since a journal is opened before the first key is made: each test opens one first of all.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod choice;
mod damage;
mod directory;
mod events;
mod list_server;
mod list_source;
mod lists;
mod metrics;
mod model;
mod registry;
mod support;
mod without_lists;
