//! The messages of a stream.

use std::time::Duration;

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::{Channel, Consumer};
use tokio::select;
use tokio::time::timeout;

use crate::source::amqp::connection::{all_came, because, number};
use crate::source::amqp::payload::as_structured;
use crate::source::amqp::stream::acks::Acks;
use crate::source::error::SourceError;

/// A stream from some place on, over a channel of its own. Dropping it ends the reading.
pub(super) struct StreamMessages {
    consumer: Consumer,
    channel: Channel,
    acks: Acks,
    /// Read ahead, to see where the stream begins.
    first: Option<AmqpMessage>,
}

/// A message of a stream.
pub(super) struct AmqpMessage {
    pub(super) offset: u64,
    pub(super) delivery: Delivery,
}

impl StreamMessages {
    pub(super) fn new(channel: Channel, consumer: Consumer) -> Self {
        Self {
            consumer,
            channel,
            acks: Acks::default(),
            first: None,
        }
    }

    /// Where the first message lies, if it comes in time. It is there to be read all the same.
    pub(super) async fn first(&mut self, within: Duration) -> Result<Option<&AmqpMessage>, SourceError> {
        if self.first.is_none() {
            match timeout(within, self.next()).await {
                Ok(message) => self.first = Some(message?),
                Err(_late) => return Ok(None),
            }
        }
        Ok(self.first.as_ref())
    }

    /// The next message.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no message.
    pub(super) async fn next(&mut self) -> Result<AmqpMessage, SourceError> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        self.acks.give().await?;
        let delivery = loop {
            select! {
                biased;
                // It is sent when this is first polled.
                given = self.acks.given() => given?,
                delivery = self.consumer.next() => break delivery,
            }
        };
        let delivery = delivery
            .ok_or_else(|| SourceError::new("the broker ended the reading of the stream"))?
            .map_err(because("cannot read the stream"))?;
        self.acks.read(&delivery.acker);
        let offset = number(delivery.properties.headers().as_ref(), "x-stream-offset")
            .ok_or_else(|| SourceError::new("the message has no offset: this is no stream"))?;
        Ok(AmqpMessage {
            offset,
            delivery: as_structured(delivery),
        })
    }

    /// Returns once everything came to the client that the broker had sent by now.
    pub(super) fn all_came(&self, credit: u16) -> impl Future<Output = Result<(), SourceError>> + use<> {
        let channel = self.channel.clone();
        async move {
            let came = all_came(&channel, credit).await;
            came.map_err(because("cannot read the stream"))
        }
    }

    /// Acknowledges all that was read, with the next reading.
    pub(super) fn flush(&mut self) {
        self.acks.flush();
    }
}

/// How many messages the broker sends ahead.
pub(super) const CREDIT: u16 = 1_000;
