//! A stream as one replica reads it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::ContextBuilder;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::{Config, RetentionPolicy, Stream};
use async_nats::{Client, datetime};
use tokio::select;

use crate::model::timestamp::Timestamp;
use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, EventSource, Signal};
use crate::source::nats::delivery::{NatsDelivery, Outbox};
use crate::source::nats::history::{Extent, History, timestamp};
use crate::source::nats::link::Link;
use crate::source::nats::reader::{Heard, Reader};
use crate::source::nats::subject::covers;
use crate::source::position::Start;

/// A stream of JetStream, read by one replica. See the [module](super) for what it asks of the client, the stream and the
/// account.
pub struct NatsSource {
    name: String,
    stream: String,
    filter: Option<String>,
    outbox: Arc<Outbox>,
    history: History,
    open: Option<Open>,
}

/// A stream that is open.
struct Open {
    link: Link,
    reader: Reader,
    /// The newest message that was there at the opening, until all of them came in.
    tail: Option<u64>,
    /// Up to where messages came in.
    read: u64,
}

/// Where reading starts.
struct Place {
    reader: Reader,
    extent: Extent,
    continuity: Continuity,
    /// The first message that the reader is going to get.
    first: u64,
    is_at_end: bool,
}

impl NatsSource {
    /// A stream of this name, that `client` is to read.
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
            outbox: Arc::new(Outbox {
                context: ContextBuilder::new().timeout(REQUEST_TIMEOUT).build(client.clone()),
                client,
                dead_letters: None,
            }),
            history: History::default(),
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
        self.outbox = Arc::new(Outbox {
            client: self.outbox.client.clone(),
            context: self.outbox.context.clone(),
            dead_letters: Some(subject.into()),
        });
        self
    }
}

impl EventSource for NatsSource {
    type Delivery = NatsDelivery;

    fn name(&self) -> &str {
        &self.name
    }

    async fn open(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        let old = self.open.take();
        let link = Link::up(self.outbox.client.clone()).await?;
        if let Some(old) = old {
            old.reader.discard().await;
        }
        let place = select! {
            biased;
            place = self.place(start) => place?,
            error = link.broken() => return Err(error),
        };
        let has_gap = place.continuity != Continuity::Complete;
        self.history.opened(&place.extent, place.first, has_gap);
        let tail = place.extent.last;
        self.open = Some(Open {
            link,
            reader: place.reader,
            tail: Some(tail),
            read: if place.is_at_end { tail } else { 0 },
        });
        Ok(place.continuity)
    }

    async fn next(&mut self) -> Result<Signal<NatsDelivery>, SourceError> {
        let open = self.open.as_mut().ok_or_else(|| SourceError::new("not open"))?;
        if open.tail.is_some_and(|tail| open.read >= tail) {
            open.tail = None;
            return Ok(Signal::CaughtUp);
        }
        let heard = select! {
            biased;
            heard = open.reader.next() => heard?,
            error = open.link.broken() => return Err(error),
        };
        match heard {
            Heard::Message(message) => {
                let noted = self.history.read(message.sequence, message.published);
                noted.map_err(SourceError::new)?;
                open.read = open.read.max(message.sequence);
                Ok(Signal::Message(message))
            }
            // What was there is there no more, or has other subjects.
            Heard::Heartbeat if open.tail.take().is_some() => Ok(Signal::CaughtUp),
            Heard::Heartbeat => Ok(Signal::Alive { lag: Some(0) }),
        }
    }

    async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.reader.discard().await;
        }
        // The last answers are still on their way.
        let _ = self.outbox.client.flush().await;
    }
}

impl NatsSource {
    /// Finds where to start, and has the server start there.
    async fn place(&self, start: &Start) -> Result<Place, SourceError> {
        let cannot = |what: &str| SourceError::new(format!("cannot {what} stream {}", self.stream));
        let stream = self.outbox.context.get_stream(&self.stream).await;
        let mut stream = stream.map_err(|error| cannot("find").because(error))?;
        self.check(&stream.cached_info().config)?;
        let mut extent = Extent::new(stream.cached_info(), self.filter.as_deref());
        let after = start.after(0).map(|after| u64::try_from(after).unwrap_or(u64::MAX));
        let mut gap = match after {
            Some(after) => self.gap(after, &stream, &extent).await,
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
            gap = extent.gap(start.time());
        }
        let info = consumer.cached_info();
        Ok(Place {
            extent,
            continuity: gap.map_or(Continuity::Complete, Continuity::Gap),
            first: info.delivered.stream_sequence.saturating_add(1),
            is_at_end: info.num_pending == 0,
            reader: Reader::new(consumer, Arc::clone(&self.outbox)).await?,
        })
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
        match &self.outbox.dead_letters {
            Some(dead) if read.any(|pattern| covers(pattern, dead)) => {
                let what = format!("dead letters at {dead} would come in again");
                Err(SourceError::new(format!("stream {}: {what}", self.stream)))
            }
            _ => Ok(()),
        }
    }

    /// Why messages after this one may be missing.
    async fn gap(&self, after: u64, stream: &Stream, extent: &Extent) -> Option<String> {
        let gap = self.history.gap(after, extent);
        if gap.is_some() {
            return gap;
        }
        let (sequence, published) = self.history.token(extent)?;
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
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            // How many may be unsettled is the loop's to say.
            max_ack_pending: -1,
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
            .field("dead_letters", &self.outbox.dead_letters)
            .finish_non_exhaustive()
    }
}

fn by_time(since: Timestamp) -> Result<DeliverPolicy, SourceError> {
    let nanos = i128::from(since.as_unix_millis()) * 1_000_000;
    let start_time = datetime::from_nanos(nanos)
        .map_err(|error| SourceError::new(format!("cannot read since {since}")).because(error))?;
    Ok(DeliverPolicy::ByStartTime { start_time })
}

/// How long the server may take for an answer. The loop asks again.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// When the server delivers again what is not acknowledged. There is no need: what is unsettled comes again after the next
/// opening, and the disk that a message waits for may take its time.
const ACK_WAIT: Duration = Duration::from_secs(60 * 60);

/// When the server forgets a consumer that nobody reads. It may have to wait for the list that makes up for a gap.
const INACTIVE_THRESHOLD: Duration = Duration::from_secs(5 * 60);
