//! Fetching, verifying and installing signed revocation lists.
//!
//! A [`Poller`] keeps the list of one issuer fresh: it fetches through any tower HTTP client, has a [`ListFormat`]
//! verify and index what it got, and installs it through an [`EventSink`](crate::EventSink).

mod refresh;
mod source_poller;
mod poller;
mod poll_loop;
mod paces;
mod persist;
mod restore;
#[cfg(feature = "clawdentity")]
pub mod clawdentity;
mod kept;
pub mod open;
mod poll_error;
pub(crate) mod list_source;
mod list;
mod key_handle;

pub use key_handle::KeyHandle;
pub use list::{ListError, ListFormat};
pub use list_source::ListSource;
pub use paces::{DEFAULT_FAST_PACE, DEFAULT_SLOW_PACE, FETCH_GAP};
pub use poller::*;
pub use restore::RestoreError;
pub use source_poller::SourcePoller;

pub use crate::fetch::exchange::HttpClient;
pub use crate::jose::{JwsError, KeySet, PublicKey, VerifySignature, verify_jws};
