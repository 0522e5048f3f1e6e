//! A stream as one replica reads it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::{Config, RetentionPolicy, Stream};
use async_nats::jetstream::{Context, ContextBuilder};
use async_nats::{Client, datetime};
use tokio::select;
use tokio::time::Instant;

use crate::model::timestamp::Timestamp;
use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, EventSource, Signal};
use crate::source::log::{CaughtUp, LogDeadLetters, LogDelivery};
use crate::source::nats::connection::NatsConnection;
use crate::source::nats::continuity::{Extent, Wholeness, timestamp, witness};
use crate::source::nats::dead_letters::NatsDeadLetters;
use crate::source::nats::reader::{Heard, StreamConsumer};
use crate::source::nats::subject::covers;
use crate::source::position::{Position, Start};

/// A stream of JetStream, read by one replica. See the [module](super) for what it asks of the client, the stream and the
/// account.
pub struct NatsSource {
    name: String,
    stream: String,
    filter: Option<String>,
    client: Client,
    context: Context,
    dead_letters: Option<String>,
    open: Option<OpenedStream>,
}

/// A stream that is open.
struct OpenedStream {
    connection: NatsConnection,
    consumer: StreamConsumer,
    wholeness: Wholeness,
    caught_up: CaughtUp,
    /// When the server last said that there is nothing more.
    told: Instant,
    dead_letters: Option<Arc<dyn LogDeadLetters>>,
}

impl OpenedStream {
    /// Notes that the server has nothing more.
    fn ends_here(&mut self) {
        self.caught_up.ends([]);
        self.told = Instant::now();
    }
}

impl NatsSource {
    /// Returns a source of the stream of this name, which `client` is to read.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn new(client: Client, stream: impl Into<String>) -> Self {
        let stream = stream.into();
        Self {
            name: format!("nats:{stream}"),
            stream,
            filter: None,
            context: ContextBuilder::new().timeout(REQUEST_TIMEOUT).build(client.clone()),
            client,
            dead_letters: None,
            open: None,
        }
    }

    /// Reads only messages of this subject, which may have wildcards. By default all messages of the stream are read.
    ///
    /// # Security
    ///
    /// In a stream that has other subjects as well, it is not noticed if messages are trimmed before a reader that is too slow
    /// gets to them: give the feed a stream of its own.
    #[must_use]
    pub fn with_subject(mut self, filter: impl Into<String>) -> Self {
        self.filter = Some(filter.into());
        self
    }

    /// Publishes messages that can never be applied to this subject, with a header `Revocation-Dead-Letter` that has
    /// [the rest in JSON](crate::source::DeadLetter::to_json). By default they are logged and counted, and that is all.
    ///
    /// A stream has to be there that stores the subject, and not the one that is read. All replicas publish a message under
    /// the same `Nats-Msg-Id`, and the stream keeps the first of them if the others come within its `duplicate_window`.
    #[must_use]
    pub fn with_dead_letters(mut self, subject: impl Into<String>) -> Self {
        self.dead_letters = Some(subject.into());
        self
    }
}

impl EventSource for NatsSource {
    type Delivery = LogDelivery;

    fn name(&self) -> &str {
        &self.name
    }

    async fn open(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        let old = self.open.take();
        let connection = NatsConnection::up(self.client.clone()).await?;
        if let Some(old) = old {
            old.consumer.discard().await;
        }
        let (consumer, wholeness, caught_up, continuity) = select! {
            biased;
            begun = self.begin(start) => begun?,
            error = connection.broken() => return Err(error),
        };
        let dead_letters = self.dead_letters.clone().map(|subject| NatsDeadLetters {
            subject,
            context: self.context.clone(),
            created: wholeness.created,
        });
        self.open = Some(OpenedStream {
            connection,
            consumer,
            wholeness,
            caught_up,
            told: Instant::now(),
            dead_letters: dead_letters.map(|dead_letters| Arc::new(dead_letters) as _),
        });
        Ok(continuity)
    }

    async fn next(&mut self) -> Result<Signal<LogDelivery>, SourceError> {
        let open = self.open.as_mut().ok_or_else(|| SourceError::new("not open"))?;
        if open.caught_up.is_news() {
            return Ok(Signal::CaughtUp);
        }
        let heard = select! {
            biased;
            heard = open.consumer.next() => heard?,
            error = open.connection.broken() => return Err(error),
        };
        match heard {
            Heard::Message(message) => {
                let position = Position::at(message.sequence.into());
                let landmark = open.wholeness.read(message.sequence, message.published)?;
                open.caught_up.came_in(position);
                if message.lag == 0 && open.told.elapsed() >= AGAIN {
                    open.ends_here();
                }
                let delivery = LogDelivery::new(message.payload, position)
                    .with_landmark(landmark)
                    .with_lag(Some(message.lag))
                    .with_dead_letters(open.dead_letters.clone());
                Ok(Signal::Message(delivery))
            }
            Heard::Heartbeat => {
                open.ends_here();
                open.caught_up.is_news();
                Ok(Signal::CaughtUp)
            }
        }
    }

    async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.consumer.discard().await;
        }
        // The consumer's end is still on its way.
        let _ = self.client.flush().await;
    }
}

impl NatsSource {
    /// Finds where to start, and has the server start there.
    async fn begin(&self, start: &Start) -> Result<(StreamConsumer, Wholeness, CaughtUp, Continuity), SourceError> {
        let cannot = |what: &str| SourceError::new(format!("cannot {what} stream {}", self.stream));
        let stream = self.context.get_stream(&self.stream).await;
        let mut stream = stream.map_err(|error| cannot("find").because(error))?;
        self.check(&stream.cached_info().config)?;
        let mut extent = Extent::new(stream.cached_info(), self.filter.as_deref());
        let after = start.after(0).map(|after| u64::try_from(after).unwrap_or(u64::MAX));
        let mut gap = match after {
            Some(after) => self.gap(after, start, &stream, &extent).await,
            None => None,
        };
        let policy = match (after, &gap) {
            (Some(after), None) => DeliverPolicy::ByStartSequence {
                start_sequence: after.saturating_add(1),
            },
            _ => by_time(start.time())?,
        };
        let consumer = stream.create_consumer(self.consumer(policy)).await;
        let consumer = consumer.map_err(|error| cannot("read").because(error))?;
        if after.is_none() {
            // Only now: before the consumer had its place, messages may have been trimmed.
            let info = stream.info().await.map_err(|error| cannot("look at").because(error))?;
            extent = Extent::new(info, self.filter.as_deref());
            gap = extent.gap_since(start.time());
        }
        let info = consumer.cached_info();
        let next = info.delivered.stream_sequence.saturating_add(1);
        let wholeness = Wholeness::new(&extent, start, next, gap.is_some());
        let mut caught_up = CaughtUp::from([Position::at(next.into())]);
        if info.num_pending > 0 {
            caught_up.ends([Position::at(u128::from(extent.last) + 1)]);
        }
        let consumer = StreamConsumer::new(consumer, &self.client, self.context.clone()).await?;
        let continuity = gap.map_or(Continuity::Complete, Continuity::Gap);
        Ok((consumer, wholeness, caught_up, continuity))
    }

    /// Refuses what would go wrong without anybody noticing.
    fn check(&self, config: &Config) -> Result<(), SourceError> {
        if config.retention != RetentionPolicy::Limits {
            let what = "messages are not kept for all replicas: its retention is not by limits";
            return Err(SourceError::new(format!("stream {}: {what}", self.stream)));
        }
        let mut read = self.filter.as_slice().iter().chain(match self.filter {
            Some(_) => &[],
            None => &*config.subjects,
        });
        match &self.dead_letters {
            Some(dead) if read.any(|pattern| covers(pattern, dead)) => {
                let what = format!("dead letters at {dead} would come in again");
                Err(SourceError::new(format!("stream {}: {what}", self.stream)))
            }
            _ => Ok(()),
        }
    }

    /// Why messages after this one may be missing.
    async fn gap(&self, after: u64, start: &Start, stream: &Stream, extent: &Extent) -> Option<String> {
        let gap = extent.gap_after(after, start);
        if gap.is_some() {
            return gap;
        }
        let (sequence, published) = witness(start, extent)?;
        match stream.get_raw_message(sequence).await {
            Ok(message) if timestamp(message.time) == published => None,
            Ok(_) => Some(format!("message {sequence} of the stream is another one than was read")),
            Err(error) => Some(format!("message {sequence}, which was read, is not to be had: {error}")),
        }
    }

    fn consumer(&self, deliver_policy: DeliverPolicy) -> pull::Config {
        pull::Config {
            description: Some("tower-revocation".to_owned()),
            deliver_policy,
            filter_subject: self.filter.clone().unwrap_or_default(),
            // What is not settled comes again after the next opening: the loop remembers by itself how far it came.
            ack_policy: AckPolicy::None,
            inactive_threshold: INACTIVE_THRESHOLD,
            // It is not wanted any more after a restart of the server.
            memory_storage: true,
            ..pull::Config::default()
        }
    }
}

impl fmt::Debug for NatsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsSource")
            .field("name", &self.name)
            .field("filter", &self.filter)
            .finish_non_exhaustive()
    }
}

fn by_time(since: Timestamp) -> Result<DeliverPolicy, SourceError> {
    let nanos = i128::from(since.as_unix_millis()) * 1_000_000;
    let start_time = datetime::from_nanos(nanos)
        .map_err(|error| SourceError::new(format!("cannot read since {since}")).because(error))?;
    Ok(DeliverPolicy::ByStartTime { start_time })
}

/// How often a busy feed says that it is at its end.
const AGAIN: Duration = Duration::from_secs(1);

/// How long the server may take for an answer. The loop asks again.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// When the server forgets a consumer that nobody reads. It may have to wait for the list that makes up for a gap.
const INACTIVE_THRESHOLD: Duration = Duration::from_secs(5 * 60);
