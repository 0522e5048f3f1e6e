//! Fetching, verifying and installing signed revocation lists.
//!
//! A [`Poller`] keeps the list of one issuer fresh: it fetches through any tower HTTP client, has a [`ListFormat`]
//! verify and index what it got, and installs it through an [`EventSink`](crate::EventSink).

#[cfg(feature = "clawdentity")]
pub mod clawdentity;
mod jws;
mod keys;
mod list;

pub use jws::{JwsError, VerifySignature, verify_jws};
pub use keys::{KeySet, PublicKey};
pub use list::{ListError, ListFormat};
