//! Where messages are put aside.

use async_nats::jetstream::Context;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::{HeaderMap, header};
use bytes::Bytes;
use siphasher::sip::SipHasher13;

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
            headers.insert(header::NATS_MESSAGE_ID, id(&key, self.created, &letter.payload));
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

/// The same for all replicas, and for no other message. A stream whose only copy was lost counts from 1 again, and keeps the time of
/// its creation.
fn id(key: &str, created: Timestamp, payload: &[u8]) -> String {
    let payload = SipHasher13::new().hash(payload);
    format!("{key}@{created}/{payload:016x}")
}

/// What is said about a dead letter: see [`DeadLetter::to_json`].
const LETTER_HEADER: &str = "Revocation-Dead-Letter";

#[cfg(test)]
mod tests {
    use super::*;

    /// The second one was taken for the first, and not stored, if its stream had lost everything in between.
    #[test]
    fn two_messages_at_one_place_are_two_dead_letters() {
        let created = Timestamp::from_unix_secs(5);
        let first = id("nats:S:1", created, b"poison");
        assert_eq!(first, id("nats:S:1", created, b"poison"), "two replicas store it once");
        assert_ne!(first, id("nats:S:1", created, b"another"));
        assert_ne!(first, id("nats:S:2", created, b"poison"));
        assert_ne!(first, id("nats:S:1", Timestamp::from_unix_millis(5_001), b"poison"));
    }
}
