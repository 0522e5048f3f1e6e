//! What has to hold whatever comes in: for each reader of what others wrote, a function that takes any bytes and panics where a
//! promise is broken. The fuzzer calls them (`fuzz/`), and so do the tests beside them, over all that is known.

mod target;
mod authorization;
pub(crate) mod claims;
mod cloudflare;
mod document;
mod events;
mod heartbeats;
mod journal;
mod jwk_set;
mod jws;
pub(crate) mod kafka;
mod keys;
mod list;
mod open;
mod places;
mod poll;
mod push;
mod rows;
pub(crate) mod registry;
pub(crate) mod world;
mod tree;

#[allow(unused_imports, reason = "there is one target in a fuzzer's process")]
pub(crate) use journal::left as prepare;
pub(crate) use target::{TARGETS, Target};
