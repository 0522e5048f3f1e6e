//! The guides: each module is a page of `docs/`.
//!
//! Begin with [`first_gateway`]. Before you rely on the crate, read [`limits`] and [`security`].

// A page links to another by a reference that leads to its file. `links.md` comes before each page and gives the same reference, which
// leads to the module: of two definitions the first one counts.
pub mod first_gateway;
pub mod cors;
pub mod feeds;
pub mod brokers;
pub mod issuer;
pub mod sessions;
pub mod outbox;
pub mod lists;
pub mod restarts;
pub mod streams;
pub mod clients;
pub mod policies;
pub mod watching;
pub mod operating;
pub mod limits;
pub mod security;
