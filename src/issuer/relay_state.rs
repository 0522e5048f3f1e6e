//! What is known of the relay's work.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::issuer::publisher::{Promise, PromiseWarning};

/// What is known of the relay's work, for the status.
#[derive(Debug, Default)]
pub(super) struct RelayState(Mutex<RelayFacts>);

/// What the relay did.
#[derive(Clone, Debug, Default)]
pub(super) struct RelayFacts {
    pub(super) publisher: Option<String>,
    pub(super) promise: Option<Promise>,
    /// In what the last confirmation fell short of it.
    pub(super) shortfall: Option<PromiseWarning>,
    /// Whether the last attempt was good.
    pub(super) is_connected: bool,
    pub(super) last_error: Option<String>,
    /// When something was confirmed and read back last, a heartbeat too.
    pub(super) confirmed: Option<Instant>,
    /// Statements that were confirmed and read back.
    pub(super) published: u64,
    /// Logs that were begun since the process started, but for the store's first.
    pub(super) logs_begun: u64,
    /// Why the last of them was, in words.
    pub(super) log_went_back: Option<String>,
    /// The database was set back, in words.
    pub(super) store_went_back: Option<String>,
}

impl RelayState {
    pub(super) fn facts(&self) -> MutexGuard<'_, RelayFacts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
