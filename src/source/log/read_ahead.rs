//! Reads a log ahead of the loop.

use std::vec;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::source::error::SourceError;
use crate::source::event_source::Signal;
use crate::source::log::caught_up::CaughtUp;
use crate::source::log::delivery::LogDelivery;

/// What tasks read ahead. They end when this is dropped.
pub(crate) struct ReadAhead {
    _tasks: JoinSet<()>,
    batches: mpsc::Receiver<Result<Batch, SourceError>>,
    /// What is being given.
    batch: vec::IntoIter<LogDelivery>,
    caught_up: CaughtUp,
}

/// Some messages of one partition in their order; none after a while in which none came, which is a sign of life.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) partition: u32,
    pub(crate) deliveries: Vec<LogDelivery>,
    /// How many are still to come if there are none here, as far as that is known.
    pub(crate) lag: Option<u64>,
}

/// Reads a log, or one partition of it, batch by batch.
pub(crate) trait ReadBatches: Send + 'static {
    /// Waits for the next batch, for about a second at most. After an error the log has to be opened anew.
    fn read(&mut self) -> impl Future<Output = Result<Batch, SourceError>> + Send;
}

impl ReadAhead {
    /// Begins to read. What `watch` ends with, if it ever does, ends the reading.
    pub(crate) fn begin<R: ReadBatches>(
        readers: impl IntoIterator<Item = R>,
        watch: impl Future<Output = SourceError> + Send + 'static,
        caught_up: CaughtUp,
    ) -> Self {
        let (sender, batches) = mpsc::channel(AHEAD);
        let mut tasks = JoinSet::new();
        for reader in readers {
            tasks.spawn(run(reader, sender.clone()));
        }
        tasks.spawn(async move {
            // Nobody listens any more if the feed ends just now.
            let _ = sender.send(Err(watch.await)).await;
        });
        Self {
            _tasks: tasks,
            batches,
            batch: Vec::new().into_iter(),
            caught_up,
        }
    }

    /// Waits for the next thing that the log has to say.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no message.
    pub(crate) async fn next(&mut self) -> Result<Signal<LogDelivery>, SourceError> {
        loop {
            if self.caught_up.is_news() {
                return Ok(Signal::CaughtUp);
            }
            if let Some(delivery) = self.batch.next() {
                self.caught_up.came_to(delivery.at());
                return Ok(Signal::Message(delivery));
            }
            let batch = self.batches.recv().await;
            let batch = batch.ok_or_else(|| SourceError::new("the log is not read any more"))??;
            if batch.deliveries.is_empty() {
                self.caught_up.is_at_end(batch.partition);
                return Ok(Signal::Alive { lag: batch.lag });
            }
            self.batch = batch.deliveries.into_iter();
        }
    }
}

/// Reads until it fails, or until nobody listens any more.
async fn run(mut reader: impl ReadBatches, batches: mpsc::Sender<Result<Batch, SourceError>>) {
    loop {
        let batch = reader.read().await;
        let is_over = batch.is_err();
        if batches.send(batch).await.is_err() || is_over {
            return;
        }
    }
}

/// How many batches wait, beside the one that is being given and those that are being read.
const AHEAD: usize = 1;
