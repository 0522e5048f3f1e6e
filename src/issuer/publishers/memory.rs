//! A log in memory.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::issuer::publisher::{Confirmed, OutgoingMessage, Promise, PublishError, Publisher, is_from};
use crate::source::Memory;

/// Publishes to a log in [memory](Memory): for tests, and for processes whose gateway is inside.
#[derive(Debug)]
pub struct MemoryPublisher {
    log: Memory,
    name: String,
    /// The newest message of the issuer, as it was read back or published last.
    expected: Option<Bytes>,
}

impl MemoryPublisher {
    /// Returns a publisher to this log.
    #[must_use]
    pub fn new(log: &Memory) -> Self {
        Self {
            log: log.clone(),
            name: log.name().to_owned(),
            expected: None,
        }
    }
}

impl Publisher for MemoryPublisher {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_conditional(&self) -> bool {
        true
    }

    async fn ensure(&mut self) -> Result<Promise, PublishError> {
        let mut promise = Promise::of_copies(1);
        promise.warn("memory", "is in this process alone, and gone with it");
        Ok(promise)
    }

    async fn read_back(&mut self, source: &str, most: usize) -> Result<Vec<Bytes>, PublishError> {
        let mut found = VecDeque::new();
        for message in self
            .log
            .messages()
            .into_iter()
            .rev()
            .filter(|message| is_from(source, message))
        {
            found.push_front(message);
            if found.len() == most {
                break;
            }
        }
        self.expected = found.back().cloned();
        Ok(found.into())
    }

    async fn publish(&mut self, source: &str, messages: &[OutgoingMessage]) -> Result<Confirmed, PublishError> {
        let payloads = messages.iter().map(|message| message.payload.clone());
        let is_own = |message: &Bytes| is_from(source, message);
        if !self.log.publish_behind(self.expected.as_ref(), is_own, payloads) {
            return Err(PublishError::refused("the log's newest message is another one"));
        }
        self.expected = messages.last().map(|last| last.payload.clone());
        Ok(Confirmed::default())
    }
}
