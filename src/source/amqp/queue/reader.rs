//! A queue that is being read.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, BasicQosOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection, Consumer, ErrorKind, Queue};
use tokio::select;
use tokio::time::timeout;

use crate::source::amqp::connection::{because, channel, close, look, short};
use crate::source::amqp::dead_letters::AmqpDeadLetters;
use crate::source::amqp::liveness::Liveness;
use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, Signal};

/// Which queue, and how it is made.
pub(super) struct QueueConfig {
    pub(super) exchange: String,
    pub(super) queue: String,
    pub(super) expiry: Duration,
    pub(super) dead_letters: Option<Arc<AmqpDeadLetters>>,
}

/// A queue that is being read; dropped, its connection is closed, and the broker delivers again what was not
/// acknowledged.
pub(super) struct AmqpQueueReader {
    connection: Connection,
    consumer: Consumer,
    _channel: Channel,
    liveness: Liveness,
    /// How many messages are still to come, of those that were there at the opening; until that was said.
    old: Option<u64>,
    /// Whether nothing is on its way but what the client has already.
    is_last: bool,
}

impl AmqpQueueReader {
    /// Finds the queue or makes it. `is_known` is whether all that was acknowledged from it is known.
    pub(super) async fn open(
        connection: Connection,
        config: &QueueConfig,
        is_known: &mut bool,
    ) -> Result<(Self, Continuity), SourceError> {
        let queue = short(&config.queue)?;
        let found = find(&connection, &queue).await?;
        let channel = channel(&connection).await?;
        match &found {
            Some(found) if found.consumer_count() > 0 => return Err(shared(&queue)),
            Some(_) => {}
            None => {
                // Also if this ends before it is bound: then the next opening finds it.
                *is_known = false;
                make(&channel, &queue, config).await?;
            }
        }
        let bound = channel.queue_bind(
            queue.clone(),
            short(&config.exchange)?,
            "".into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        bound
            .await
            .map_err(because(format!("cannot bind queue {queue} to {}", config.exchange)))?;
        let (consumer, liveness, old) = consume(&connection, &channel, &queue).await?;
        let old = found.as_ref().map_or(0, |found| found.message_count()).max(old);
        let continuity = match (found, *is_known) {
            (None, _) => Continuity::Gap("the queue is new".to_owned()),
            (Some(_), true) => Continuity::Complete,
            (Some(_), false) => Continuity::Gap("what was read from the queue before is not known".to_owned()),
        };
        *is_known = true;
        let reader = Self {
            connection,
            consumer,
            _channel: channel,
            liveness,
            old: Some(old.into()),
            is_last: false,
        };
        Ok((reader, continuity))
    }

    /// # Cancel safety
    ///
    /// Dropping the future loses no message.
    pub(super) async fn next(&mut self, is_known: &mut bool) -> Result<Signal<Delivery>, SourceError> {
        if self.old == Some(0) {
            self.old = None;
            return Ok(Signal::CaughtUp);
        }
        let is_last = std::mem::take(&mut self.is_last);
        select! {
            biased;
            delivery = self.consumer.next() => {
                let delivery = delivery.ok_or_else(|| SourceError::new("the broker ended the reading of the queue"))?;
                let delivery = delivery.map_err(because("cannot read the queue"))?;
                self.old = self.old.map(|old| old - 1);
                self.is_last = is_last;
                self.liveness.heard();
                Ok(Signal::Message(delivery))
            }
            () = ready(()), if is_last => {
                self.old = None;
                Ok(Signal::CaughtUp)
            }
            queue = self.liveness.beat() => {
                let queue = queue?;
                // What another one has read by now is lost.
                *is_known &= queue.consumer_count() <= 1;
                is_ours(&queue)?;
                // Not counting what is on its way to this reader: that came before the answer did.
                self.is_last = queue.message_count() == 0;
                Ok(Signal::Alive { lag: Some(queue.message_count().into()) })
            }
        }
    }

    /// How many messages are still to come, of those that were there at the opening.
    pub(super) fn lag(&self) -> Option<u64> {
        self.old
    }

    pub(super) async fn close(self) {
        close(&self.connection).await;
    }
}

/// How the queue is, if it exists.
async fn find(connection: &Connection, queue: &ShortString) -> Result<Option<Queue>, SourceError> {
    // If it does not, that costs the channel.
    match look(&channel(connection).await?, queue).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(because(format!("cannot look at queue {queue}"))(error)),
    }
}

/// The broker gives the same code for a queue whose node is not up yet.
fn is_missing(error: &lapin::Error) -> bool {
    match error.kind() {
        ErrorKind::ProtocolError(error) => error.get_message().as_str().starts_with("NOT_FOUND - no queue"),
        _ => false,
    }
}

async fn make(channel: &Channel, queue: &ShortString, config: &QueueConfig) -> Result<(), SourceError> {
    let mut arguments = FieldTable::default();
    let mut say = |name: &str, value: AMQPValue| {
        arguments.insert(name.into(), value);
    };
    // Not a quorum queue: one that is lost is noticed, and a list makes up for it. And with RabbitMQ 3.10, killed soon after they
    // were made, such queues came back without a leader, whereupon nothing was confirmed to publishers any more.
    say("x-queue-type", AMQPValue::LongString("classic".into()));
    let expiry = i64::try_from(config.expiry.as_millis()).unwrap_or(i64::MAX);
    say("x-expires", AMQPValue::LongLongInt(expiry));
    if let Some(dead_letters) = &config.dead_letters {
        let long = |name: &str| AMQPValue::LongString(name.into());
        say("x-dead-letter-exchange", long(dead_letters.exchange()));
        say("x-dead-letter-routing-key", long(dead_letters.routing_key()));
    }
    let declared = channel.queue_declare(queue.clone(), QueueDeclareOptions::durable(), arguments);
    declared
        .await
        .map_err(because(format!("cannot make queue {queue}")))
        .map(|_made| ())
}

/// Starts reading. Says how many messages were there beside those that are on their way.
async fn consume(
    connection: &Connection,
    reading: &Channel,
    queue: &ShortString,
) -> Result<(Consumer, Liveness, u32), SourceError> {
    let attempt = || because(format!("cannot read queue {queue}"));
    let qos = reading.basic_qos(CREDIT, BasicQosOptions::default()).await;
    qos.map_err(attempt())?;
    let reads = reading.basic_consume(
        queue.clone(),
        "".into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    // Without a leader it would wait for one.
    let consumer = timeout(PATIENCE, reads)
        .await
        .map_err(|_late| not_up(queue))?
        .map_err(attempt())?;
    let asking = channel(connection).await?;
    let now = look(&asking, queue).await.map_err(attempt())?;
    is_ours(&now)?;
    let liveness = Liveness::new(asking, queue.clone()).behind(reading.clone(), CREDIT);
    Ok((consumer, liveness, now.message_count()))
}

/// Whether this is the one that reads it. The broker also says that nobody does when the queue's leader does not
/// answer.
fn is_ours(queue: &Queue) -> Result<(), SourceError> {
    match queue.consumer_count() {
        0 => Err(not_up(queue.name())),
        1 => Ok(()),
        _ => Err(shared(queue.name())),
    }
}

fn not_up(queue: &ShortString) -> SourceError {
    SourceError::new(format!("queue {queue} is not up: it has no leader"))
}

fn shared(queue: &ShortString) -> SourceError {
    SourceError::new(format!(
        "queue {queue} is read by somebody else: every replica needs a name of its own"
    ))
}

/// How many messages may be unsettled before no more come. Those of a disk that fails are, while they are tried again,
/// and new ones must not wait for them.
const CREDIT: u16 = 10_000;
/// How long a queue may take to say that it is read. It may be electing its leader.
const PATIENCE: Duration = Duration::from_secs(3);
