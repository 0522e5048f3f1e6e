//! A message of a stream.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{AckKind, Context};
use async_nats::{Client, HeaderMap, Subject, header};
use bytes::Bytes;

use crate::model::timestamp::Timestamp;
use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;
use crate::source::event_source::{Delivery, Retry};
use crate::source::position::Position;

/// A message of a JetStream stream.
#[derive(Debug)]
pub struct NatsDelivery {
    pub(super) payload: Bytes,
    /// Where to say what became of it.
    pub(super) reply: Subject,
    pub(super) sequence: u64,
    pub(super) published: Timestamp,
    pub(super) attempts: u32,
    pub(super) lag: u64,
    pub(super) outbox: Arc<Outbox>,
}

/// Where everything goes that is sent.
#[derive(Debug)]
pub(super) struct Outbox {
    pub(super) client: Client,
    pub(super) context: Context,
    pub(super) dead_letters: Option<String>,
}

impl Delivery for NatsDelivery {
    fn payload(&self) -> &[u8] {
        &self.payload
    }

    fn attempts(&self) -> u32 {
        self.attempts
    }

    fn position(&self) -> Option<Position> {
        Some(Position::at(self.sequence.into()))
    }

    fn lag(&self) -> Option<u64> {
        Some(self.lag)
    }

    async fn ack(&mut self) -> Result<(), SourceError> {
        self.answer(AckKind::Ack).await
    }

    async fn retry(&mut self, after: Duration) -> Result<Retry, SourceError> {
        self.answer(AckKind::Nak(Some(after))).await?;
        Ok(Retry::ByBroker)
    }

    async fn dead_letter(&mut self, letter: &DeadLetter) -> Result<(), SourceError> {
        if let Some(subject) = &self.outbox.dead_letters {
            self.put_aside(subject, letter)
                .await
                .map_err(|error| SourceError::new(format!("cannot store a dead letter at {subject}")).because(error))?;
        }
        self.ack().await
    }
}

impl NatsDelivery {
    /// Nobody waits for the server: an answer that is lost is lost with the connection, and then everything unsettled comes
    /// again.
    async fn answer(&self, kind: AckKind) -> Result<(), SourceError> {
        let told = self.outbox.client.publish(self.reply.clone(), kind.into()).await;
        told.map_err(|error| SourceError::new(format!("cannot answer message {}", self.sequence)).because(error))
    }

    async fn put_aside(&self, subject: &str, letter: &DeadLetter) -> Result<(), PublishError> {
        match self.publish(subject, letter, letter.payload.clone()).await {
            // It filled its message to the brim, and with the header it is too large. It can be had by its position.
            Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                self.publish(subject, letter, Bytes::new()).await
            }
            published => published,
        }
    }

    async fn publish(&self, subject: &str, letter: &DeadLetter, payload: Bytes) -> Result<(), PublishError> {
        let mut headers = HeaderMap::new();
        // JSON has no line breaks, which a header must not have.
        headers.insert(LETTER_HEADER, letter.to_json());
        if let Some(key) = letter.key() {
            // With its time, since a stream that was created anew counts from 1 again.
            headers.insert(header::NATS_MESSAGE_ID, format!("{key}@{}", self.published));
        }
        let message = PublishMessage::build().payload(payload).headers(headers);
        let published = self.outbox.context.send_publish(subject.to_owned(), message).await?;
        published.await.map(drop)
    }
}

/// What is said about a dead letter: see [`DeadLetter::to_json`].
const LETTER_HEADER: &str = "Revocation-Dead-Letter";
