//! A consumer of a stream.

use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::BatchConfig;
use async_nats::{Client, Message, Request, StatusCode, Subject, Subscriber, jetstream};
use bytes::Bytes;
use futures_util::StreamExt;

use crate::model::timestamp::Timestamp;
use crate::source::error::SourceError;
use crate::source::nats::continuity::timestamp;

/// A consumer of the stream, and what it was asked for.
///
/// The client has a stream of messages to offer as well. It keeps to itself when it last heard of the server, and spends
/// another task and a timer on that.
pub(super) struct StreamConsumer {
    consumer: PullConsumer,
    inbox: Subject,
    arrivals: Subscriber,
    context: Context,
    /// How many messages the server may still send.
    asked_for: usize,
    /// How many it sent.
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
}

/// What a server has to say.
pub(super) enum Heard {
    Message(StreamMessage),
    /// There is nothing new.
    Heartbeat,
}

impl StreamConsumer {
    pub(super) async fn new(consumer: PullConsumer, client: &Client, context: Context) -> Result<Self, SourceError> {
        let inbox = client.new_inbox();
        let arrivals = client
            .subscribe(inbox.clone())
            .await
            .map_err(|error| SourceError::new("cannot subscribe to an inbox").because(error))?;
        Ok(Self {
            consumer,
            inbox: inbox.into(),
            arrivals,
            context,
            asked_for: 0,
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
            if self.asked_for <= BATCH / 2 {
                self.ask().await?;
            }
            let Some(message) = self.arrivals.next().await else {
                return Err(SourceError::new("the NATS client was closed"));
            };
            // Publishers may give a message any status, but only the server sends what needs no answer.
            if message.reply.is_some() {
                return self.read(message).map(Heard::Message);
            }
            match message.status {
                Some(StatusCode::IDLE_HEARTBEAT) => {
                    let sent = number(&message, "Nats-Last-Consumer");
                    missed_none(self.delivered, sent.unwrap_or(self.delivered))?;
                    return Ok(Heard::Heartbeat);
                }
                // What was asked for was not needed in time.
                Some(StatusCode::TIMEOUT) => {
                    let unused = number(&message, "Nats-Pending-Messages");
                    let unused = unused.map_or(BATCH, |unused| usize::try_from(unused).unwrap_or(BATCH));
                    self.asked_for = self.asked_for.saturating_sub(unused);
                }
                status => {
                    let status = status.map_or(0, |status| status.as_u16());
                    let words = message.description.as_deref().unwrap_or_default();
                    return Err(SourceError::new(format!("the consumer ended: {status} {words}")));
                }
            }
        }
    }

    /// Has the server forget the consumer, if it gets to hear that: otherwise it does so by itself in time.
    pub(super) async fn discard(self) {
        let info = self.consumer.cached_info();
        let subject = format!("CONSUMER.DELETE.{}.{}", info.stream_name, info.name);
        let _ = self.context.send_request(subject, Request::new()).await;
    }

    async fn ask(&mut self) -> Result<(), SourceError> {
        let batch = BatchConfig {
            batch: BATCH,
            expires: Some(EXPIRY),
            idle_heartbeat: HEARTBEAT,
            ..BatchConfig::default()
        };
        self.consumer
            .request_batch(batch, self.inbox.clone())
            .await
            .map_err(|error| SourceError::new("cannot ask for messages").because(error))?;
        self.asked_for += BATCH;
        Ok(())
    }

    fn read(&mut self, message: Message) -> Result<StreamMessage, SourceError> {
        let payload = message.payload.clone();
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
        self.asked_for = self.asked_for.saturating_sub(1);
        Ok(StreamMessage {
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

fn number(message: &Message, header: &str) -> Option<u64> {
    message.headers.as_ref()?.get(header)?.as_str().parse().ok()
}

/// How many messages are asked for at once; again when half of them came.
const BATCH: usize = 500;

/// How often the server says that there is nothing to say.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long the server remembers that it was asked.
const EXPIRY: Duration = Duration::from_secs(30);
