//! A list that is owed, since messages may have been missed.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::{Instant, sleep};

use crate::domain::words;
use crate::policy::Lists;
use crate::sink::EventSink;
use crate::source::resync::Resync;
use crate::source::settle::Desk;

/// A list that makes up for a gap and is on its way; or none.
pub(super) struct Debt<R> {
    resync: Arc<R>,
    sink: EventSink,
    under_way: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<R: Resync + 'static> Debt<R> {
    pub(super) fn new(resync: R, sink: EventSink) -> Self {
        Self {
            resync: Arc::new(resync),
            sink,
            under_way: None,
        }
    }

    /// Notes that messages may have been missed, and asks for a list from now on; one that is under way already may be too
    /// old.
    pub(super) fn owe<D>(&mut self, desk: &Desk<D>, reason: &str) {
        tracing::warn!(source = desk.source, reason, "gap in the event feed");
        let are_there_lists = self.sink.domain().store.look(|state| state.policy.lists != Lists::None);
        desk.health(|feed| {
            feed.gaps += 1;
            feed.last_gap = Some((Instant::now(), reason.to_owned()));
            feed.is_gap_open = are_there_lists;
        });
        if !are_there_lists {
            return;
        }
        let (resync, sink) = (Arc::clone(&self.resync), self.sink.clone());
        self.under_way = Some(Box::pin(async move { until_paid(&*resync, &sink).await }));
    }

    pub(super) const fn is_open(&self) -> bool {
        self.under_way.is_some()
    }

    /// Waits until the list is there; for ever if none is owed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future forgets nothing.
    pub(super) async fn paid<D>(&mut self, desk: &Desk<D>) {
        match &mut self.under_way {
            Some(under_way) => under_way.await,
            None => pending().await,
        }
        self.under_way = None;
        desk.health(|feed| feed.is_gap_open = false);
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
        tracing::warn!(error = %words(&error), "no fresh list after a gap in the feed");
        sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
    }
}

const LONGEST_PAUSE: Duration = Duration::from_secs(30);
