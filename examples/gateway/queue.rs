//! The in-process queue: what a broker is to a real deployment.
//!
//! Messages are the upstream system's own, as raw bytes. The consumer does with each what a consumer of a real
//! queue does: acknowledge, deliver again, or put aside with a reason.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
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
    /// Feeds the sink until no registry is left to publish. All messages that are there are taken in at once, so that they
    /// share one write to the journal.
    pub(crate) async fn run(mut self, sink: EventSink) {
        sink.set_feed(FeedState::Live);
        let mut messages = Vec::new();
        while self.messages.recv_many(&mut messages, CAPACITY).await > 0 {
            join_all(messages.drain(..).map(|message| deliver(&sink, message))).await;
        }
        sink.set_feed(FeedState::Down);
    }
}

/// Delivers a message until it need not be delivered again: that is its acknowledgement.
async fn deliver(sink: &EventSink, message: Bytes) {
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
const REDELIVER_AFTER: Duration = Duration::from_millis(250);
