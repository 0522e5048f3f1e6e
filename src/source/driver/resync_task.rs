//! The task that gets a list, since messages may have been missed.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::common::backoff::Backoff;
use crate::common::error_text::error_text;
use crate::common::host_code::guarded_future;
use crate::common::log;
use crate::model::policy::ListPolicy;
use crate::sink::EventSink;
use crate::source::driver::resync::Resync;

/// A list that makes up for a gap and is on its way; or none.
pub(super) struct ResyncTask<R> {
    resync: Arc<R>,
    sink: EventSink,
    /// A task of its own: it goes on while the feed cannot be opened, when the list is all there is. Ends with this.
    fetching: JoinSet<()>,
    is_open: bool,
    /// Whether messages were missed since the list under way was asked for: it may be too old.
    again: bool,
}

impl<R: Resync + 'static> ResyncTask<R> {
    pub(super) fn new(resync: R, sink: EventSink) -> Self {
        Self {
            resync: Arc::new(resync),
            sink,
            fetching: JoinSet::new(),
            is_open: false,
            again: false,
        }
    }

    /// Asks for a list from now on. One that is under way is let finish: else whoever publishes nonsense often enough could keep
    /// any list away.
    pub(super) fn ask(&mut self) {
        if self.is_of_use() {
            self.is_open = true;
            match self.fetching.is_empty() {
                true => self.fetch(),
                false => self.again = true,
            }
        }
    }

    /// Returns whether a list is waited for.
    pub(super) fn is_open(&self) -> bool {
        self.is_open && self.is_of_use()
    }

    /// Without lists nothing ever makes up for a gap, and there is nothing to wait for. The host may decide that at any time.
    fn is_of_use(&self) -> bool {
        let lists = self.sink.domain().store.look(|state| state.policy.lists);
        lists != ListPolicy::NotUsed
    }

    /// Waits until a list is there that was asked for after the last gap; for ever if none is needed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future forgets nothing.
    pub(super) async fn done(&mut self) {
        loop {
            match self.fetching.join_next().await {
                Some(Ok(())) if self.again => {
                    self.again = false;
                    self.fetch();
                }
                Some(Ok(())) => break,
                // Only if it was aborted, together with this.
                Some(Err(_)) => {}
                None => pending().await,
            }
        }
        self.is_open = false;
    }

    fn fetch(&mut self) {
        let (resync, sink) = (Arc::clone(&self.resync), self.sink.clone());
        self.fetching.spawn(async move {
            let mut backoff = Backoff::jittered(SHORTEST_PAUSE, LONGEST_PAUSE);
            loop {
                match guarded_future(async { resync.resync(&sink).await }).await {
                    Ok(Ok(())) => {
                        sink.domain().resynced_issuer_logs();
                        if !sink.domain().is_issuer_log_lost() {
                            return;
                        }
                        log::warn!("the list does not cover what is missing of the issuer's log yet");
                    }
                    Ok(Err(error)) => {
                        log::warn!(error = %error_text(&error), "no fresh list after a gap in the feed");
                    }
                    Err(panic) => log::error!(panic, "no fresh list after a gap in the feed: the host's code panicked"),
                }
                sleep(backoff.pause()).await;
            }
        });
    }
}

const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
