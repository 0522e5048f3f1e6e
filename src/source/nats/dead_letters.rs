//! Where messages are put aside.

use async_nats::jetstream::Context;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::{HeaderMap, header};
use bytes::Bytes;

use crate::model::timestamp::Timestamp;
use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;
use crate::source::log::{LogDeadLetters, Storing};

/// A subject for dead letters.
pub(super) struct NatsDeadLetters {
    pub(super) subject: String,
    pub(super) context: Context,
    /// When the stream that is read was created: one that was created anew counts from 1 again.
    pub(super) created: Timestamp,
}

impl NatsDeadLetters {
    async fn publish(&self, letter: &DeadLetter, payload: Bytes) -> Result<(), PublishError> {
        let mut headers = HeaderMap::new();
        // JSON has no line breaks, which a header must not have.
        headers.insert(LETTER_HEADER, letter.to_json());
        if let Some(key) = letter.key() {
            headers.insert(header::NATS_MESSAGE_ID, format!("{key}@{}", self.created));
        }
        let message = PublishMessage::build().payload(payload).headers(headers);
        let published = self.context.send_publish(self.subject.clone(), message).await?;
        published.await.map(drop)
    }
}

impl LogDeadLetters for NatsDeadLetters {
    /// Stores a letter, once for all replicas.
    fn store<'s>(&'s self, letter: &'s DeadLetter) -> Storing<'s> {
        Box::pin(async {
            let stored = match self.publish(letter, letter.payload.clone()).await {
                // It filled its message to the brim, and with the header it is too large. It can be had by its position.
                Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                    self.publish(letter, Bytes::new()).await
                }
                stored => stored,
            };
            let failed = || SourceError::new(format!("cannot store a dead letter at {}", self.subject));
            stored.map_err(|error| failed().because(error))
        })
    }
}

/// What is said about a dead letter: see [`DeadLetter::to_json`].
const LETTER_HEADER: &str = "Revocation-Dead-Letter";
