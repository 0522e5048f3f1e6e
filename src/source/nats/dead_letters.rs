//! Where messages are put aside.

use async_nats::jetstream::Context;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::{HeaderMap, header};
use bytes::Bytes;

use crate::model::timestamp::Timestamp;
use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;

/// A subject for dead letters.
#[derive(Clone, Debug)]
pub(super) struct NatsDeadLetters {
    pub(super) subject: String,
    pub(super) context: Context,
}

impl NatsDeadLetters {
    /// Stores a letter, once for all replicas, of a message that was published at that time.
    pub(super) async fn store(&self, letter: &DeadLetter, published: Timestamp) -> Result<(), SourceError> {
        let stored = match self.publish(letter, published, letter.payload.clone()).await {
            // It filled its message to the brim, and with the header it is too large. It can be had by its position.
            Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                self.publish(letter, published, Bytes::new()).await
            }
            stored => stored,
        };
        stored
            .map_err(|error| SourceError::new(format!("cannot store a dead letter at {}", self.subject)).because(error))
    }

    async fn publish(&self, letter: &DeadLetter, published: Timestamp, payload: Bytes) -> Result<(), PublishError> {
        let mut headers = HeaderMap::new();
        // JSON has no line breaks, which a header must not have.
        headers.insert(LETTER_HEADER, letter.to_json());
        if let Some(key) = letter.key() {
            // With its time, since a stream that was created anew counts from 1 again.
            headers.insert(header::NATS_MESSAGE_ID, format!("{key}@{published}"));
        }
        let message = PublishMessage::build().payload(payload).headers(headers);
        let published = self.context.send_publish(self.subject.clone(), message).await?;
        published.await.map(drop)
    }
}

/// What is said about a dead letter: see [`DeadLetter::to_json`].
const LETTER_HEADER: &str = "Revocation-Dead-Letter";
