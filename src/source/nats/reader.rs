//! A consumer of a stream.

use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::{Client, HeaderMap, Message, Request, StatusCode, Subject, Subscriber, jetstream};
use bytes::Bytes;
use futures_util::StreamExt;
use percent_encoding::percent_decode_str;
use tokio::time::Instant;

use crate::format::binary_mode::structured;
use crate::model::timestamp::Timestamp;
use crate::source::error::SourceError;
use crate::source::nats::continuity::timestamp;
use crate::source::nats::pull::PullSize;

/// A consumer of the stream, and what it was asked for.
///
/// The client has a stream of messages to offer as well. It keeps to itself when it last heard of the server, and spends
/// another task and a timer on that.
pub(super) struct StreamConsumer {
    consumer: PullConsumer,
    inbox: Subject,
    arrivals: Subscriber,
    context: Context,
    pull: PullSize,
    /// When the server last said something of the consumer.
    heard: Instant,
    /// How many messages it sent.
    delivered: u64,
    /// The message that came last, with a context as it takes one to be read. To clone a context for each takes long.
    newest: Option<jetstream::Message>,
}

/// A message of a stream.
pub(super) struct StreamMessage {
    pub(super) payload: Bytes,
    pub(super) sequence: u64,
    pub(super) published: Timestamp,
    /// How many come after it.
    pub(super) lag: u64,
    /// Whether it tells the server something, and is no message to be read.
    pub(super) is_servers_own: bool,
}

/// What a server has to say.
pub(super) enum Heard {
    Message(StreamMessage),
    /// There is nothing new: all messages up to this sequence were sent, or are none of this consumer's.
    Heartbeat {
        passed: Option<u64>,
    },
}

impl StreamConsumer {
    pub(super) async fn new(consumer: PullConsumer, client: &Client, context: Context) -> Result<Self, SourceError> {
        let limits = &consumer.cached_info().config;
        let pull = PullSize::new(limits.max_batch, limits.max_bytes, limits.max_expires);
        let inbox = client.new_inbox();
        let arrivals = client
            .subscribe(inbox.clone())
            .await
            .map_err(|error| SourceError::new("cannot subscribe to an inbox").because(error))?;
        Ok(Self {
            pull,
            consumer,
            inbox: inbox.into(),
            arrivals,
            context,
            heard: Instant::now(),
            delivered: 0,
            newest: None,
        })
    }

    /// Waits for the next message or heartbeat.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Heard, SourceError> {
        loop {
            if let Some(batch) = self.pull.wanted() {
                let asked = self.consumer.request_batch(batch, self.inbox.clone()).await;
                asked.map_err(|error| SourceError::new("cannot ask for messages").because(error))?;
                self.pull.asked();
            }
            let Some(message) = self.arrivals.next().await else {
                return Err(SourceError::new("the NATS client was closed"));
            };
            self.heard = Instant::now();
            // Publishers may give a message any status, but only the server sends what needs no answer.
            if message.reply.is_some() {
                return self.read(message).map(Heard::Message);
            }
            let unused = || number(&message, "Nats-Pending-Messages").and_then(|unused| usize::try_from(unused).ok());
            let words = message.description.as_deref().unwrap_or_default();
            match message.status {
                Some(StatusCode::IDLE_HEARTBEAT) => {
                    let sent = number(&message, "Nats-Last-Consumer");
                    missed_none(self.delivered, sent.unwrap_or(self.delivered))?;
                    let passed = number(&message, "Nats-Last-Stream");
                    return Ok(Heard::Heartbeat { passed });
                }
                // What was asked for was not needed in time.
                Some(StatusCode::TIMEOUT) => self.pull.expired(unused()),
                // Newer servers say so when a request that is bounded by bytes got all of its messages.
                _ if words.eq_ignore_ascii_case(COMPLETED) => self.pull.expired(Some(unused().unwrap_or(0))),
                _ if words.eq_ignore_ascii_case(FILLED) => {
                    if !self.pull.filled(unused()) {
                        return Err(SourceError::new(
                            "a message is larger than a consumer of the stream may ask for",
                        ));
                    }
                }
                status => {
                    let status = status.map_or(0, |status| status.as_u16());
                    return Err(SourceError::new(format!("the consumer ended: {status} {words}")));
                }
            }
        }
    }

    /// Returns for how long the server has said nothing of the consumer.
    pub(super) fn silence(&self) -> Duration {
        self.heard.elapsed()
    }

    /// Notes that something else was late on the same way.
    pub(super) fn slow_down(&mut self) {
        self.pull.halve();
    }

    /// Has the server forget the consumer, if it gets to hear that: otherwise it does so by itself in time.
    pub(super) async fn discard(&self) {
        let info = self.consumer.cached_info();
        let subject = format!("CONSUMER.DELETE.{}.{}", info.stream_name, info.name);
        let _ = self.context.send_request(subject, Request::new()).await;
    }

    fn read(&mut self, message: Message) -> Result<StreamMessage, SourceError> {
        let payload = payload(&message);
        let newest = match &mut self.newest {
            Some(newest) => {
                newest.message = message;
                newest
            }
            none => {
                let context = self.context.clone();
                none.insert(jetstream::Message { message, context })
            }
        };
        let info = newest
            .info()
            .map_err(|error| SourceError::new("a message came that is of no stream").because(error))?;
        missed_none(self.delivered, info.consumer_sequence.saturating_sub(1))?;
        self.delivered = info.consumer_sequence;
        self.pull.came();
        Ok(StreamMessage {
            is_servers_own: is_servers_own(newest, &self.context),
            payload,
            sequence: info.stream_sequence,
            published: timestamp(info.published),
            lag: info.pending,
        })
    }
}

/// The client drops what it has no room for, and what is sent over a connection that breaks is gone.
fn missed_none(delivered: u64, sent: u64) -> Result<(), SourceError> {
    match sent == delivered {
        true => Ok(()),
        false => Err(SourceError::new("messages were lost on their way")),
    }
}

/// What was published; an event in CloudEvents' binary mode
/// ([NATS, section 3.1](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/nats-protocol-binding.md)) as decoders read it.
fn payload(message: &Message) -> Bytes {
    let of_headers = |headers: &HeaderMap| {
        let attributes = headers.iter().filter_map(|(name, values)| {
            let name: &str = name.as_ref();
            let name = name
                .get(..3)
                .filter(|prefix| prefix.eq_ignore_ascii_case("ce-"))
                .map(|_| &name[3..])?;
            let value = percent_decode_str(values.first()?.as_str()).decode_utf8_lossy();
            Some((name.to_owned(), value.into_owned()))
        });
        structured(attributes, None, &message.payload)
    };
    let event = message.headers.as_ref().and_then(of_headers);
    event.map_or_else(|| message.payload.clone(), Bytes::from)
}

fn number(message: &Message, header: &str) -> Option<u64> {
    message.headers.as_ref()?.get(header)?.as_str().parse().ok()
}

/// Whether a message is one that the server wrote by itself to say that others are gone, or a plan: what is planned comes as a
/// message of its own when it is time.
fn is_servers_own(message: &Message, context: &Context) -> bool {
    let Some(headers) = &message.headers else { return false };
    let is_marker = headers.get(MARKER).is_some() && message.payload.is_empty();
    is_marker || headers.get(PLAN).is_some() && context.client().is_server_compatible(2, 12, 0)
}

/// With what a server says that a request was as large as it may be.
const FILLED: &str = "Message Size Exceeds MaxBytes";

const COMPLETED: &str = "Batch Completed";

/// The header of a marker: why the messages of its subject are gone.
const MARKER: &str = "Nats-Marker-Reason";

/// The header of a plan: when it is to be published. Servers of before 2.12 know none, and take it for a message.
const PLAN: &str = "Nats-Schedule";
