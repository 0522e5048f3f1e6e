//! The in-process queue: what a broker is to a real deployment.
//!
//! Messages are the upstream system's own, as raw bytes. The consumer does with each what a consumer of a real
//! queue does: acknowledge, deliver again, or put aside with a reason.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
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
    /// Feeds the sink until no registry is left to publish.
    pub(crate) async fn run(mut self, sink: EventSink) {
        sink.set_feed(FeedState::Live);
        while let Some(message) = self.messages.recv().await {
            while let Disposition::Retry(reason) = take_in(&sink, &message) {
                tracing::warn!(%reason, "message is delivered again later");
                tokio::time::sleep(REDELIVER_AFTER).await;
            }
        }
        sink.set_feed(FeedState::Down);
    }
}

fn take_in(sink: &EventSink, message: &[u8]) -> Disposition {
    let disposition = sink.ingest(&ClawdentityEvents::new(), message);
    if let Disposition::DeadLetter(reason) = &disposition {
        tracing::warn!(%reason, "message is a dead letter");
    }
    disposition
}

const CAPACITY: usize = 1024;
const REDELIVER_AFTER: Duration = Duration::from_millis(250);
