//! A stream as one replica reads it.

use std::fmt;
use std::future::pending;
use std::sync::Arc;

use redis::Client;

use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, EventSource, Signal};
use crate::source::log::{LogDeadLetters, LogDelivery, ReadAhead};
use crate::source::position::Start;
use crate::source::redis::dead_letters::RedisDeadLetters;
use crate::source::redis::reader::StreamReader;

/// A stream of Redis as one replica reads it. See the [module](super) for how to publish to it and what it promises.
///
/// It connects when it is opened, and anew whenever it is opened anew. One connection waits for messages, another one, made
/// when it is first needed, stores dead letters.
pub struct RedisSource {
    client: Client,
    key: Arc<str>,
    field: Arc<str>,
    name: String,
    dead_letters: Option<Arc<dyn LogDeadLetters>>,
    reading: Option<ReadAhead>,
}

impl RedisSource {
    /// Returns a source of the stream at a key. Messages are in the field [`d`](Self::DEFAULT_FIELD) of its entries.
    #[must_use]
    pub fn new(client: Client, key: impl Into<String>) -> Self {
        let key = key.into();
        Self {
            client,
            name: format!("redis:{key}"),
            key: key.into(),
            field: Self::DEFAULT_FIELD.into(),
            dead_letters: None,
            reading: None,
        }
    }

    /// Sets which field of an entry holds the message. An entry without it counts as an empty message, for the decoder to judge.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.field = field.into().into();
        self
    }

    /// Stores dead letters in the stream at this key, with the fields `payload` and `json`. By default they are not stored.
    ///
    /// Each is stored once for all replicas that read it within a day: a key beside the stream, which expires, remembers that.
    /// Nothing is ever trimmed there: that is for whoever looks at it.
    #[must_use]
    pub fn with_dead_letters(mut self, key: impl Into<String>) -> Self {
        self.dead_letters = Some(Arc::new(RedisDeadLetters::new(self.client.clone(), key.into())));
        self
    }

    /// The field that holds messages: `d`.
    pub const DEFAULT_FIELD: &str = "d";
}

impl EventSource for RedisSource {
    type Delivery = LogDelivery;

    fn name(&self) -> &str {
        &self.name
    }

    async fn open(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        self.reading = None;
        let (key, field) = (Arc::clone(&self.key), Arc::clone(&self.field));
        let opened = StreamReader::open(&self.client, key, field, start, self.dead_letters.clone());
        let (reader, continuity, caught_up) = opened.await?;
        self.reading = Some(ReadAhead::begin([reader], pending(), caught_up));
        Ok(continuity)
    }

    async fn next(&mut self) -> Result<Signal<LogDelivery>, SourceError> {
        match &mut self.reading {
            Some(reading) => reading.next().await,
            None => Err(SourceError::new("the stream is not open")),
        }
    }

    async fn close(&mut self) {
        self.reading = None;
    }
}

impl fmt::Debug for RedisSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the client, which knows a password.
        f.debug_struct("RedisSource")
            .field("name", &self.name)
            .field("field", &self.field)
            .finish_non_exhaustive()
    }
}
