//! RabbitMQ streams.

use std::fmt;
use std::sync::Arc;

use lapin::Connection;

use crate::source::amqp::connection::Connector;
use crate::source::amqp::dead_letters::AmqpDeadLetters;
use crate::source::amqp::stream::connection::StreamConnection;
use crate::source::amqp::stream::continuity::landmark;
use crate::source::amqp::stream::reader::AmqpStreamReader;
use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, EventSource, Signal};
use crate::source::log::{LogDeadLetters, LogDelivery};
use crate::source::position::{Position, Start};

/// A RabbitMQ stream, as one replica reads it. The stream has to exist.
///
/// It has to keep messages (`x-max-age`) for longer than a list may be old, and than a replica may be away. Nothing
/// needs to be set up for a replica, and a message that is tried again holds up no other one.
///
/// # Gaps
///
/// At the first opening, the stream has to hold a message from before the time that is asked for: only then does it
/// have all that came since. Afterwards, it has to hold the message that was settled last, and the very same one: a
/// stream that was trimmed, emptied, or deleted and created again does not, even if it has grown past that place. Only
/// one that has the same bytes there is taken for the old one, which is why messages should carry an id or a time.
///
/// An empty stream has a gap at each opening.
pub struct AmqpStream {
    connect: Connector,
    stream: String,
    name: String,
    dead_letters: Option<Arc<dyn LogDeadLetters>>,
    reader: Option<AmqpStreamReader>,
}

impl AmqpStream {
    /// Returns a source of a stream. What connects is called at each opening, as the [module](crate::source::amqp) says.
    #[must_use]
    pub fn new<C, F>(connect: C, stream: &str) -> Self
    where
        C: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = lapin::Result<Connection>> + Send + 'static,
    {
        Self {
            connect: Connector::new(connect),
            stream: stream.to_owned(),
            name: format!("amqp:{stream}"),
            dead_letters: None,
            reader: None,
        }
    }

    /// Sets where [dead letters](crate::source::amqp#dead-letters) are published to; the empty exchange puts them into the queue
    /// that is named by the routing key. By default they are stored nowhere.
    #[must_use]
    pub fn with_dead_letters(mut self, exchange: &str, routing_key: &str) -> Self {
        let dead_letters = AmqpDeadLetters::new(self.connect.clone(), exchange.to_owned(), routing_key.to_owned());
        self.dead_letters = Some(Arc::new(dead_letters));
        self
    }
}

impl EventSource for AmqpStream {
    type Delivery = LogDelivery;

    fn name(&self) -> &str {
        &self.name
    }

    async fn open(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        self.reader = None;
        let stream = StreamConnection::open(&self.connect, &self.stream).await?;
        let (reader, continuity) = AmqpStreamReader::open(stream, start).await?;
        self.reader = Some(reader);
        Ok(continuity)
    }

    async fn next(&mut self) -> Result<Signal<LogDelivery>, SourceError> {
        let Some(reader) = &mut self.reader else {
            return Err(SourceError::new("the stream is not open"));
        };
        Ok(match reader.next().await? {
            Signal::Alive { lag } => Signal::Alive { lag },
            Signal::CaughtUp => Signal::CaughtUp,
            Signal::Behind(by) => Signal::Behind(by),
            Signal::Message(message) => {
                let (position, landmark) = (Position::at(message.offset.into()), landmark(&message));
                let delivery = LogDelivery::new(message.delivery.data, position)
                    .with_landmark(landmark)
                    .with_lag(reader.lag(position))
                    .with_dead_letters(self.dead_letters.clone());
                Signal::Message(delivery)
            }
        })
    }

    async fn close(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.close().await;
        }
    }
}

impl fmt::Debug for AmqpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpStream")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
