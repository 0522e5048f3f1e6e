//! The embedded registry: hands out, reissues and revokes agents' tokens, and signs the list of those revoked.
//!
//! It does what the upstream system's registry does as far as a gateway can see: the same routes, status codes, claims
//! and queue messages. Unlike that one it asks nobody for an API key, keeps no rate limit, and forgets everything when
//! it ends.

mod book;
mod issuer;
mod message;
mod routes;
mod signing;

pub(crate) use book::Registry;
pub(crate) use issuer::{DEFAULT_ISSUER, did_authority, issuer};
pub(crate) use routes::router;
