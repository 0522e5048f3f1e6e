//! A feed that is read beside everything else.

use std::future::pending;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower_revocation::{Decode, EventSink};

use crate::Failure;
use crate::queue::publisher::Publisher;
use crate::queue::reader::Reader;

/// Reads the queue until it is told to end, if there is one to read.
pub(crate) struct Feed(Option<Reading>);

struct Reading {
    task: JoinHandle<Result<(), Failure>>,
    end: oneshot::Sender<()>,
}

impl Feed {
    /// Starts to read, by a decoder of the issuer's events.
    pub(crate) fn start(
        reader: Option<Reader>,
        publisher: Publisher,
        sink: EventSink,
        events: impl Decode + Send + Sync + 'static,
    ) -> Self {
        Self(reader.map(|reader| {
            let (end, told_to_end) = oneshot::channel();
            let told_to_end = async move { drop(told_to_end.await) };
            Reading {
                task: tokio::spawn(reader.run(publisher, sink, events, told_to_end)),
                end,
            }
        }))
    }

    /// Waits until it cannot go on.
    pub(crate) async fn failure(&mut self) -> Failure {
        match &mut self.0 {
            Some(reading) => match (&mut reading.task).await {
                Ok(Ok(())) => "the feed ended by itself".into(),
                Ok(Err(failure)) => failure,
                Err(lost) => lost.into(),
            },
            None => pending().await,
        }
    }

    /// Settles what was read, and ends.
    pub(crate) async fn end(self) {
        if let Some(Reading { task, end }) = self.0 {
            let _ = end.send(());
            let _ = task.await;
        }
    }
}
