//! A list that is owed, since messages may have been missed.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::common::error_text::error_text;
use crate::model::policy::ListPolicy;
use crate::sink::EventSink;
use crate::source::driver::resync::Resync;
use crate::source::driver::settle::Desk;

/// A list that makes up for a gap and is on its way; or none.
pub(super) struct Debt<R> {
    resync: Arc<R>,
    sink: EventSink,
    /// A task of its own: it goes on while the feed cannot be opened, when the list is all there is. Ends with this.
    fetching: JoinSet<()>,
    is_open: bool,
    /// Whether messages were missed since the list under way was asked for: it may be too old.
    again: bool,
}

impl<R: Resync + 'static> Debt<R> {
    pub(super) fn new(resync: R, sink: EventSink) -> Self {
        Self {
            resync: Arc::new(resync),
            sink,
            fetching: JoinSet::new(),
            is_open: false,
            again: false,
        }
    }

    /// Notes that messages may have been missed, and asks for a list from now on. One that is under way is let finish: else
    /// whoever publishes nonsense often enough could keep any list away.
    pub(super) fn owe<D>(&mut self, desk: &Desk<D>, reason: &str) {
        tracing::warn!(source = desk.source, reason, "gap in the event feed");
        desk.health(|feed| {
            feed.gaps += 1;
            feed.last_gap = Some((Instant::now(), reason.to_owned()));
            feed.is_gap_open = true;
        });
        self.ask();
    }

    /// Takes over what an earlier feed owed when it ended.
    pub(super) fn take_over<D>(&mut self, desk: &Desk<D>) {
        if desk.health(|feed| feed.is_gap_open) {
            self.ask();
        }
    }

    fn ask(&mut self) {
        // Without lists nothing ever makes up for it, and there is nothing to wait for.
        if self
            .sink
            .domain()
            .store
            .look(|state| state.policy.lists != ListPolicy::NotUsed)
        {
            self.is_open = true;
            match self.fetching.is_empty() {
                true => self.fetch(),
                false => self.again = true,
            }
        }
    }

    pub(super) const fn is_open(&self) -> bool {
        self.is_open
    }

    /// Waits until a list is there that was asked for after the last gap; for ever if none is owed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future forgets nothing.
    pub(super) async fn paid<D>(&mut self, desk: &Desk<D>) {
        loop {
            match self.fetching.join_next().await {
                Some(Ok(())) if self.again => {
                    self.again = false;
                    self.fetch();
                }
                Some(Ok(())) => break,
                // The host's own code panicked: the gap stays open.
                Some(Err(error)) => tracing::error!(%error, "no list is fetched after a gap in the feed"),
                None => pending().await,
            }
        }
        self.is_open = false;
        desk.health(|feed| feed.is_gap_open = false);
    }

    fn fetch(&mut self) {
        let (resync, sink) = (Arc::clone(&self.resync), self.sink.clone());
        self.fetching.spawn(async move { until_paid(&*resync, &sink).await });
    }
}

async fn until_paid(resync: &impl Resync, sink: &EventSink) {
    let backoff = ExponentialBuilder::new()
        .with_jitter()
        .with_min_delay(Duration::from_secs(1))
        .with_max_delay(LONGEST_PAUSE)
        .without_max_times();
    let mut pauses = backoff.build();
    while let Err(error) = resync.resync(sink).await {
        tracing::warn!(error = %error_text(&error), "no fresh list after a gap in the feed");
        sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
    }
}

const LONGEST_PAUSE: Duration = Duration::from_secs(30);
