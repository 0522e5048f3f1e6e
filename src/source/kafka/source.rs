//! A topic as one replica reads it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use rskafka::client::Client;

use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, EventSource, Signal};
use crate::source::kafka::dead_letters::DeadLetters;
use crate::source::kafka::delivery::KafkaDelivery;
use crate::source::kafka::lane::{Batch, Ended, Lane, Past};
use crate::source::kafka::partition::partitions;
use crate::source::kafka::reading::Reading;
use crate::source::position::{Position, Start};

/// A topic of Kafka as one replica reads it. See the [module](super) for what the topic should be like.
pub struct KafkaSource {
    client: Arc<Client>,
    topic: String,
    name: String,
    max_wait: Duration,
    dead_letters: Option<Arc<DeadLetters>>,
    /// The partitions as they were when they were last looked up.
    partitions: Vec<u32>,
    pasts: BTreeMap<u32, Past>,
    reading: Option<Reading>,
}

impl KafkaSource {
    /// The topic of that name, all its partitions.
    ///
    /// The client may be shared. Whatever it does for longer than a few seconds is given up and begun anew, so that its
    /// own deadlines do not matter.
    #[must_use]
    pub fn new(client: impl Into<Arc<Client>>, topic: impl Into<String>) -> Self {
        let topic = topic.into();
        Self {
            client: client.into(),
            name: format!("kafka:{topic}"),
            topic,
            max_wait: Self::DEFAULT_MAX_WAIT,
            dead_letters: None,
            partitions: Vec::new(),
            pasts: BTreeMap::new(),
            reading: None,
        }
    }

    /// Publishes dead letters to the first partition of this topic. By default they are not stored.
    ///
    /// Each replica publishes its own, with the same key, the feed's name and the message's position: a topic with
    /// `cleanup.policy=compact` keeps one of them. What is known beside the payload is in the header `json`.
    #[must_use]
    pub fn with_dead_letters(mut self, topic: impl Into<String>) -> Self {
        self.dead_letters = Some(Arc::new(DeadLetters::new(Arc::clone(&self.client), topic.into())));
        self
    }

    /// How long a broker waits for a message before it says that there is none. Defaults to
    /// [half a second](Self::DEFAULT_MAX_WAIT), and is never more than a second.
    ///
    /// Kafka answers as soon as one comes, so there this is about how often an idle broker is asked. Other servers that speak
    /// its protocol may not: with these it is how late messages come.
    #[must_use]
    pub fn with_max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = max_wait.clamp(Duration::from_millis(1), Duration::from_secs(1));
        self
    }

    /// How long a broker waits for a message: half a second.
    pub const DEFAULT_MAX_WAIT: Duration = Duration::from_millis(500);

    /// Looks the partitions up. If that fails, those of the last time will do: the client asks on a connection that it never
    /// gives up, however dead, but makes new ones to partitions.
    async fn look_up(&mut self) -> Result<(), SourceError> {
        match partitions(&self.client, &self.topic).await {
            Ok(found) => self.partitions = found,
            Err(error) if self.partitions.is_empty() => return Err(error),
            Err(_) => {}
        }
        Ok(())
    }
}

impl EventSource for KafkaSource {
    type Delivery = KafkaDelivery;

    fn name(&self) -> &str {
        &self.name
    }

    async fn open(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        self.reading = None;
        self.look_up().await?;
        let lanes = self.partitions.iter().map(|&lane| {
            let past = self.pasts.get(&lane).cloned().unwrap_or_default();
            Lane::open(&self.client, &self.topic, lane, past, start, self.max_wait)
        });
        let opened = try_join_all(lanes).await?;
        for opened in &opened {
            let landmark = opened.lane.landmark.clone();
            self.pasts.insert(opened.lane.number, Past { landmark, loss: None });
        }
        let gaps = opened.iter().filter(|opened| opened.continuity != Continuity::Complete);
        let continuity = gaps.map(|opened| opened.continuity.clone()).next();
        self.reading = Some(Reading::start(opened, Arc::clone(&self.client), self.topic.clone()));
        Ok(continuity.unwrap_or(Continuity::Complete))
    }

    async fn next(&mut self) -> Result<Signal<KafkaDelivery>, SourceError> {
        let Some(reading) = &mut self.reading else {
            return Err(SourceError::new("the topic is not open"));
        };
        loop {
            if reading.old_until.is_empty() && !reading.is_caught_up {
                reading.is_caught_up = true;
                return Ok(Signal::CaughtUp);
            }
            if let Some(record) = reading.records.next() {
                let next = record.offset + 1;
                reading.came_to(reading.lane, next);
                return Ok(Signal::Message(KafkaDelivery {
                    payload: record.record.value.unwrap_or_default(),
                    position: Position {
                        lane: reading.lane,
                        offset: u128::try_from(record.offset).unwrap_or_default(),
                    },
                    lag: u64::try_from(reading.end - next).unwrap_or_default(),
                    dead_letters: self.dead_letters.clone(),
                }));
            }
            let batch = match reading.batches.recv().await {
                Some(Ok(batch)) => batch,
                Some(Err(Ended { error, loss })) => {
                    if let Some((lane, reason)) = loss {
                        self.pasts.entry(lane).or_default().loss = Some(reason);
                    }
                    return Err(error);
                }
                None => return Err(SourceError::new("the topic is not read any more")),
            };
            let Batch {
                lane,
                records,
                end,
                landmark,
            } = batch;
            self.pasts.entry(lane).or_default().landmark = landmark;
            if records.is_empty() {
                // Whatever else was there cannot be read, such as the end of a transaction.
                reading.old_until.remove(&lane);
                return Ok(Signal::Alive { lag: None });
            }
            (reading.lane, reading.end) = (lane, end);
            reading.records = records.into_iter();
        }
    }

    async fn close(&mut self) {
        self.reading = None;
    }
}

impl fmt::Debug for KafkaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSource")
            .field("name", &self.name)
            .field("max_wait", &self.max_wait)
            .finish_non_exhaustive()
    }
}
