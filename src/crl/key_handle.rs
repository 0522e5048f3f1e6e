//! The signing keys in use, kept up to date by the poller.

use std::sync::Arc;

use tokio::sync::watch;

use crate::jose::key_set::KeySet;

/// The issuer's signing keys, as the poller fetched them last; for authentication layers that verify tokens of the same
/// issuer. Made by [`Poller::keys`](super::Poller::keys), and a cheap clone.
#[derive(Clone, Debug)]
pub struct KeyHandle {
    keys: watch::Receiver<Arc<KeySet>>,
    wanted: Arc<watch::Sender<()>>,
}

impl KeyHandle {
    /// Creates a handle, and the sender that replaces the keys.
    pub(crate) fn new() -> (Self, watch::Sender<Arc<KeySet>>) {
        let (sender, keys) = watch::channel(Arc::default());
        let wanted = Arc::new(watch::Sender::new(()));
        (Self { keys, wanted }, sender)
    }

    /// Returns the keys that were fetched last; none before that. Does not wait for the network.
    #[must_use]
    pub fn current(&self) -> Arc<KeySet> {
        Arc::clone(&self.keys.borrow())
    }

    /// Asks the poller to fetch the keys anew, because a token names an unknown one. Returns at once.
    ///
    /// # Security
    ///
    /// Anyone can forge a token that names an unknown key. Fetches that are asked for here therefore start at least
    /// [`KEY_FETCH_GAP`](super::KEY_FETCH_GAP) apart, however many callers ask.
    pub fn refetch(&self) {
        self.wanted.send_replace(());
    }

    /// Returns a receiver that sees each request for new keys.
    pub(crate) fn requests(&self) -> watch::Receiver<()> {
        self.wanted.subscribe()
    }
}
