//! A message of a stream.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{AckKind, Context};
use async_nats::{Client, Subject};
use bytes::Bytes;

use crate::model::timestamp::Timestamp;
use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;
use crate::source::event_source::{Delivery, Retry};
use crate::source::landmark::Landmark;
use crate::source::nats::dead_letters::NatsDeadLetters;
use crate::source::position::Position;

/// A message of a JetStream stream.
#[derive(Debug)]
pub struct NatsDelivery {
    pub(super) payload: Bytes,
    /// Where to say what became of it.
    pub(super) reply: Subject,
    pub(super) sequence: u64,
    pub(super) published: Timestamp,
    pub(super) landmark: Option<Landmark>,
    pub(super) attempts: u32,
    pub(super) lag: u64,
    pub(super) handle: Arc<NatsHandle>,
}

/// Where everything goes that is sent.
#[derive(Clone, Debug)]
pub(super) struct NatsHandle {
    pub(super) client: Client,
    pub(super) context: Context,
    pub(super) dead_letters: Option<NatsDeadLetters>,
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

    fn landmark(&self) -> Option<Landmark> {
        self.landmark
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
        if let Some(dead_letters) = &self.handle.dead_letters {
            dead_letters.store(letter, self.published).await?;
        }
        self.ack().await
    }
}

impl NatsDelivery {
    /// Nobody waits for the server: an answer that is lost is lost with the connection, and then everything unsettled comes
    /// again.
    async fn answer(&self, kind: AckKind) -> Result<(), SourceError> {
        let told = self.handle.client.publish(self.reply.clone(), kind.into()).await;
        told.map_err(|error| SourceError::new(format!("cannot answer message {}", self.sequence)).because(error))
    }
}
