//! The signing keys in use, kept up to date by the poller.

use std::sync::Arc;

use tokio::sync::watch;

use crate::crl::keys::KeySet;

/// The issuer's signing keys as the poller has them; for authentication layers that verify tokens of the same
/// issuer. Made by [`Poller::keys`](super::Poller::keys), and a cheap clone.
#[derive(Clone, Debug)]
pub struct KeyHandle {
    keys: watch::Receiver<Arc<KeySet>>,
    wanted: Arc<watch::Sender<()>>,
}

impl KeyHandle {
    /// A handle, and the end at which the keys are replaced.
    pub(crate) fn new() -> (Self, watch::Sender<Arc<KeySet>>) {
        let (sender, keys) = watch::channel(Arc::default());
        let wanted = Arc::new(watch::Sender::new(()));
        (Self { keys, wanted }, sender)
    }

    /// The keys as last fetched; none before that. Does not wait for the network.
    #[must_use]
    pub fn current(&self) -> Arc<KeySet> {
        Arc::clone(&self.keys.borrow())
    }

    /// Asks the poller to fetch the keys anew, because a token names one that isn't there. Returns at once.
    ///
    /// # Security
    ///
    /// Anyone can forge a token that names an unknown key. Fetches that are asked for here are therefore kept
    /// [`KEY_FETCH_GAP`](super::KEY_FETCH_GAP) apart, however many ask.
    pub fn refetch(&self) {
        self.wanted.send_replace(());
    }

    pub(crate) fn wishes(&self) -> watch::Receiver<()> {
        self.wanted.subscribe()
    }
}
