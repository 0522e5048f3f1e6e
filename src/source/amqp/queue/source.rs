//! RabbitMQ queues.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lapin::Connection;

use crate::source::amqp::connection::Connector;
use crate::source::amqp::dead_letters::AmqpDeadLetters;
use crate::source::amqp::payload::as_structured;
use crate::source::amqp::queue::delivery::AmqpQueueDelivery;
use crate::source::amqp::queue::reader::{AmqpQueueReader, QueueConfig};
use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, EventSource, Signal};
use crate::source::position::Start;

/// A fanout exchange of RabbitMQ, as one replica reads it: through a queue of its own, `EXCHANGE.REPLICA`, which is
/// made if it is missing. The exchange has to exist.
///
/// The queue is a durable classic queue, and goes when nobody has read it for [a while](Self::with_expiry). It need not be
/// replicated: a queue that was lost is new, which is noticed. One that exists is taken as it is; a quorum queue should have no
/// delivery limit, since the loop has [its own](crate::source::Drive::with_attempts).
///
/// A message that is tried again stays with this replica meanwhile, unacknowledged: the broker would deliver it again at once.
///
/// # Gaps
///
/// A queue holds what was published since it was bound to the exchange, and not acknowledged since. So there is a gap
/// when it is new, and also at the first opening by a process: what an earlier one acknowledged, this one never saw
/// (but see [`with_journal`](Self::with_journal)). Whenever it is opened again, and still there, it is complete.
///
/// Nothing tells of messages that somebody else took out of the queue or dropped, such as a limit to its length, or of
/// an exchange that was deleted and made again while the queue stayed.
///
/// # Trouble
///
/// If RabbitMQ is killed within seconds of the making of a quorum queue, this queue may never have a leader again (seen
/// with 3.10.8, reported as [10070](https://github.com/rabbitmq/rabbitmq-server/issues/10070)). Then the feed stays
/// down until somebody deletes the queue.
///
/// # Security
///
/// Every replica needs a name of its own. Two that share a queue would each miss what the other one reads; therefore a
/// queue that somebody else is reading is an error, and the feed is down. A new process with the name of one that
/// vanished may have to wait until the broker misses the old one's heartbeats.
pub struct AmqpQueue {
    connect: Connector,
    config: QueueConfig,
    name: String,
    /// Whether all that was acknowledged from the queue is known here.
    is_known: bool,
    reader: Option<AmqpQueueReader>,
}

impl AmqpQueue {
    /// Returns a source of an exchange for a replica. What connects is called at each opening, as the [module](crate::source::amqp) says.
    #[must_use]
    pub fn new<C, F>(connect: C, exchange: &str, replica: &str) -> Self
    where
        C: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = lapin::Result<Connection>> + Send + 'static,
    {
        Self {
            connect: Connector::new(connect),
            config: QueueConfig {
                exchange: exchange.to_owned(),
                queue: format!("{exchange}.{replica}"),
                expiry: Self::DEFAULT_EXPIRY,
                dead_letters: None,
            },
            name: format!("amqp:{exchange}"),
            is_known: false,
            reader: None,
        }
    }

    /// Sets after how long without a reader the broker deletes the queue. Defaults to
    /// [`DEFAULT_EXPIRY`](Self::DEFAULT_EXPIRY). For queues that are yet to be made.
    #[must_use]
    pub fn with_expiry(mut self, expiry: Duration) -> Self {
        self.config.expiry = expiry;
        self
    }

    /// Sets where [dead letters](crate::source::amqp#dead-letters) are published to; the empty exchange puts them into the queue
    /// that is named by the routing key. By default they are stored nowhere.
    ///
    /// A queue that is made by this names it as its own place for dead letters as well, for what the broker itself
    /// gives up.
    #[must_use]
    pub fn with_dead_letters(mut self, exchange: &str, routing_key: &str) -> Self {
        let dead_letters = AmqpDeadLetters::new(self.connect.clone(), exchange.to_owned(), routing_key.to_owned());
        self.config.dead_letters = Some(Arc::new(dead_letters));
        self
    }

    /// Says that this replica keeps its events across restarts (feature `journal`). Then it knows what an earlier
    /// process of its name acknowledged, and a queue that exists is complete at the first opening as well.
    ///
    /// # Security
    ///
    /// If it does not, or if the journal was lost, it misses what was acknowledged since the list was issued that it
    /// starts with.
    #[must_use]
    pub fn with_journal(mut self) -> Self {
        self.is_known = true;
        self
    }

    /// One hour.
    pub const DEFAULT_EXPIRY: Duration = Duration::from_secs(60 * 60);
}

impl EventSource for AmqpQueue {
    type Delivery = AmqpQueueDelivery;

    fn name(&self) -> &str {
        &self.name
    }

    async fn open(&mut self, _start: &Start) -> Result<Continuity, SourceError> {
        if let Some(reader) = self.reader.take() {
            // Its consumer has to be gone: the queue is this one's alone.
            reader.close().await;
        }
        let connection = self.connect.connect().await?;
        let (reader, continuity) = AmqpQueueReader::open(connection, &self.config, &mut self.is_known).await?;
        self.reader = Some(reader);
        Ok(continuity)
    }

    async fn next(&mut self) -> Result<Signal<AmqpQueueDelivery>, SourceError> {
        let Some(reader) = &mut self.reader else {
            return Err(SourceError::new("the queue is not open"));
        };
        Ok(match reader.next(&mut self.is_known).await? {
            Signal::Alive { lag } => Signal::Alive { lag },
            Signal::CaughtUp => Signal::CaughtUp,
            Signal::Behind(by) => Signal::Behind(by),
            Signal::Message(message) => Signal::Message(AmqpQueueDelivery {
                message: as_structured(message),
                lag: reader.lag(),
                dead_letters: self.config.dead_letters.clone(),
            }),
        })
    }

    async fn close(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.close().await;
        }
    }
}

impl fmt::Debug for AmqpQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpQueue")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
