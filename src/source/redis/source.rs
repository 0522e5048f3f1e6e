//! A stream as one replica reads it.

use std::fmt;
use std::sync::Arc;
use std::vec;

use redis::Client;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, EventSource, Signal};
use crate::source::position::Start;
use crate::source::redis::dead_letters::DeadLetters;
use crate::source::redis::delivery::RedisDelivery;
use crate::source::redis::entry::{Entry, Id};
use crate::source::redis::reader::{Batch, Ended, Opened, Past, Reader};

/// A stream of Redis as one replica reads it. See the [module](super) for how to publish to it and what it promises.
///
/// It connects when it is opened, and anew whenever it is opened anew. One connection waits for messages, another one, made
/// when it is first needed, stores dead letters.
pub struct RedisSource {
    client: Client,
    key: Arc<str>,
    field: Arc<str>,
    name: String,
    dead_letters: Option<Arc<DeadLetters>>,
    past: Past,
    reading: Option<Reading>,
}

/// What is read ahead by a task, which ends when this is dropped.
struct Reading {
    _task: JoinSet<()>,
    batches: mpsc::Receiver<Result<Batch, Ended>>,
    batch: vec::IntoIter<Entry>,
    /// How many come after the batch.
    lag: Option<u64>,
    /// Up to where the entries go that were there at the opening and were not given yet.
    old_until: Option<Id>,
    is_caught_up: bool,
}

impl RedisSource {
    /// The stream at a key. Messages are in the field [`d`](Self::DEFAULT_FIELD) of its entries.
    #[must_use]
    pub fn new(client: Client, key: impl Into<String>) -> Self {
        let key = key.into();
        Self {
            client,
            name: format!("redis:{key}"),
            key: key.into(),
            field: Self::DEFAULT_FIELD.into(),
            dead_letters: None,
            past: Past::default(),
            reading: None,
        }
    }

    /// Which field of an entry holds the message. An entry without it counts as an empty message, for the decoder to judge.
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
        self.dead_letters = Some(Arc::new(DeadLetters::new(self.client.clone(), key.into())));
        self
    }

    /// The field that holds messages: `d`.
    pub const DEFAULT_FIELD: &str = "d";
}

impl EventSource for RedisSource {
    type Delivery = RedisDelivery;

    fn name(&self) -> &str {
        &self.name
    }

    async fn open(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        self.reading = None;
        let (key, field) = (Arc::clone(&self.key), Arc::clone(&self.field));
        let Opened {
            reader,
            continuity,
            old_until,
        } = Reader::open(&self.client, key, field, self.past, start).await?;
        self.past = Past {
            place: Some(reader.place),
            loss: None,
        };
        let (sender, batches) = mpsc::channel(AHEAD);
        let mut task = JoinSet::new();
        task.spawn(reader.run(sender));
        self.reading = Some(Reading {
            _task: task,
            batches,
            batch: Vec::new().into_iter(),
            lag: None,
            old_until,
            is_caught_up: false,
        });
        Ok(continuity)
    }

    async fn next(&mut self) -> Result<Signal<RedisDelivery>, SourceError> {
        let Some(reading) = &mut self.reading else {
            return Err(SourceError::new("the stream is not open"));
        };
        loop {
            if reading.old_until.is_none() && !reading.is_caught_up {
                reading.is_caught_up = true;
                return Ok(Signal::CaughtUp);
            }
            if let Some(entry) = reading.batch.next() {
                reading.old_until = reading.old_until.filter(|until| *until > entry.id);
                return Ok(Signal::Message(RedisDelivery {
                    lag: reading.lag.map(|lag| lag + reading.batch.len() as u64),
                    entry,
                    dead_letters: self.dead_letters.clone(),
                }));
            }
            let Batch { entries, lag, place } = match reading.batches.recv().await {
                Some(Ok(batch)) => batch,
                Some(Err(Ended { error, loss })) => {
                    self.past.loss = loss;
                    return Err(error);
                }
                None => return Err(SourceError::new("the stream is not read any more")),
            };
            self.past.place = Some(place);
            if entries.is_empty() {
                // Whatever else was to come was deleted.
                reading.old_until = None;
                return Ok(Signal::Alive { lag: Some(0) });
            }
            reading.batch = entries.into_iter();
            reading.lag = lag;
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

/// How many batches are read ahead, beside the one that is being given and the one that is being read.
const AHEAD: usize = 1;
