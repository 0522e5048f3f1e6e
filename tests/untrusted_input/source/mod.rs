//! The part of `src/source` that reads what a broker of Kafka sends. It is private there, so it is compiled here once more.

#[path = "../../../src/source/error.rs"]
pub(crate) mod error;
pub(crate) mod kafka;
