//! Reads a log ahead of the loop.

use std::collections::BTreeMap;
use std::vec;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::source::error::SourceError;
use crate::source::event_source::Signal;
use crate::source::log::caught_up::CaughtUp;
use crate::source::log::delivery::LogDelivery;
use crate::source::position::Position;

/// What tasks read ahead. They end when this is dropped.
pub(crate) struct ReadAhead {
    _tasks: JoinSet<()>,
    batches: mpsc::Receiver<Result<Batch, SourceError>>,
    /// What is being given, and what is known behind it.
    batch: vec::IntoIter<LogDelivery>,
    read_to: Option<Position>,
    caught_up: CaughtUp,
    /// How many partitions are read, and the ends that they have told since all last did.
    partitions: usize,
    ends: BTreeMap<u32, u128>,
}

/// Some messages of one partition in their order; none after a while in which none came, which is a sign of life.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) partition: u32,
    pub(crate) deliveries: Vec<LogDelivery>,
    /// The place up to which the partition was read with this, if what lies before it and was not given is no message.
    pub(crate) read_to: Option<u128>,
    /// The place of the next message that will be written, if the log's leader was asked for that just now.
    pub(crate) end: Option<u128>,
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
        let mut partitions = 0;
        for reader in readers {
            tasks.spawn(run(reader, sender.clone()));
            partitions += 1;
        }
        tasks.spawn(async move {
            // Nobody listens any more if the feed ends just now.
            let _ = sender.send(Err(watch.await)).await;
        });
        Self {
            _tasks: tasks,
            batches,
            batch: Vec::new().into_iter(),
            read_to: None,
            caught_up,
            partitions,
            ends: BTreeMap::new(),
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
                self.caught_up.came_in(delivery.at());
                return Ok(Signal::Message(delivery));
            }
            if let Some(place) = self.read_to.take() {
                self.caught_up.came_to(place);
                continue;
            }
            let batch = self.batches.recv().await;
            let batch = batch.ok_or_else(|| SourceError::new("the log is not read any more"))??;
            let (is_idle, lag) = (batch.deliveries.is_empty(), batch.lag);
            self.begin_batch(batch);
            match (is_idle, self.caught_up.is_news()) {
                (_, true) => return Ok(Signal::CaughtUp),
                (true, false) => return Ok(Signal::Alive { lag }),
                (false, false) => {}
            }
        }
    }

    fn begin_batch(&mut self, batch: Batch) {
        let place = |offset| Position {
            partition: batch.partition,
            offset,
        };
        self.batch = batch.deliveries.into_iter();
        self.read_to = batch.read_to.map(place);
        if self.batch.len() == 0
            && let Some(place) = self.read_to.take()
        {
            self.caught_up.came_to(place);
        }
        if let Some(end) = batch.end {
            self.ends.insert(batch.partition, end);
        }
        // Only all of them together are the end of the log.
        if self.ends.len() >= self.partitions {
            let ends = std::mem::take(&mut self.ends).into_iter();
            self.caught_up
                .ends(ends.map(|(partition, offset)| Position { partition, offset }));
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
