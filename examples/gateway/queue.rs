//! The in-process queue: what a broker is to a real deployment.
//!
//! Messages are the upstream system's own, as raw bytes. The consumer does with each what a consumer of a real
//! queue does: acknowledge, deliver again, or put aside with a reason.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tower_revocation::format::clawdentity::ClawdentityEvents;
use tower_revocation::{Disposition, EventSink, FeedState};

/// The end that the registry publishes to.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    messages: mpsc::Sender<Bytes>,
}

impl Queue {
    /// A queue, and the end to consume it from.
    pub(crate) fn new() -> (Self, Consumer) {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        (Self { messages: sender }, Consumer { messages: receiver })
    }

    /// Publishes a message. Waits if the consumer lags far behind; false if there is none.
    pub(crate) async fn publish(&self, message: impl Into<Bytes>) -> bool {
        self.messages.send(message.into()).await.is_ok()
    }
}

/// The end that the gateway consumes.
#[derive(Debug)]
pub(crate) struct Consumer {
    messages: mpsc::Receiver<Bytes>,
}

impl Consumer {
    /// Feeds the sink until no registry is left to publish. A message that has to wait, for the journal's disk perhaps, holds up no
    /// other; and those that wait at a time share one write.
    pub(crate) async fn run(mut self, sink: EventSink) {
        sink.set_feed(FeedState::Live);
        let mut deliveries = JoinSet::new();
        while let Some(message) = self.messages.recv().await {
            deliveries.spawn(deliver(sink.clone(), message));
            while deliveries.try_join_next().is_some() {}
            if deliveries.len() >= MOST_AT_ONCE {
                deliveries.join_next().await;
            }
        }
        deliveries.join_all().await;
        sink.set_feed(FeedState::Down);
    }
}

/// Delivers a message until it need not be delivered again: that is its acknowledgement.
async fn deliver(sink: EventSink, message: Bytes) {
    loop {
        match sink.ingest_async(&ClawdentityEvents::new(), &message).await {
            Disposition::Applied | Disposition::Ignored(_) => return,
            Disposition::DeadLetter(reason) => {
                tracing::warn!(%reason, "message is a dead letter");
                return;
            }
            Disposition::Retry(reason) => {
                tracing::warn!(%reason, "message is delivered again later");
                tokio::time::sleep(REDELIVER_AFTER).await;
            }
        }
    }
}

const CAPACITY: usize = 1024;
const MOST_AT_ONCE: usize = 4096;
const REDELIVER_AFTER: Duration = Duration::from_millis(250);
