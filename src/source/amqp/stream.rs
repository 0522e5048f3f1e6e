//! RabbitMQ streams.

use std::sync::Arc;

use lapin::Connection;

use crate::source::amqp::connect::Connector;
use crate::source::amqp::dead_letters::DeadLetters;
use crate::source::amqp::log::Log;
use crate::source::amqp::opened_stream::OpenedStream;
use crate::source::amqp::seen::Seen;
use crate::source::amqp::stream_delivery::AmqpStreamDelivery;
use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, EventSource, Signal};
use crate::source::position::Start;

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
#[derive(Debug)]
pub struct AmqpStream {
    connect: Connector,
    stream: String,
    name: String,
    dead_letters: Option<Arc<DeadLetters>>,
    seen: Seen,
    opened: Option<OpenedStream>,
}

impl AmqpStream {
    /// Reads a stream. What connects is called at each opening, as the [module](super) says.
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
            seen: Seen::default(),
            opened: None,
        }
    }

    /// Where [dead letters](super#dead-letters) are published to; the empty exchange puts them into the queue
    /// that is named by the routing key. By default they are stored nowhere.
    #[must_use]
    pub fn with_dead_letters(mut self, exchange: &str, routing_key: &str) -> Self {
        let dead_letters = DeadLetters::new(self.connect.clone(), exchange.to_owned(), routing_key.to_owned());
        self.dead_letters = Some(Arc::new(dead_letters));
        self
    }
}

impl EventSource for AmqpStream {
    type Delivery = AmqpStreamDelivery;

    fn name(&self) -> &str {
        &self.name
    }

    async fn open(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        self.opened = None;
        let log = Log::connect(&self.connect, &self.stream).await?;
        let (opened, continuity) = OpenedStream::open(log, start, &mut self.seen).await?;
        self.opened = Some(opened);
        Ok(continuity)
    }

    async fn next(&mut self) -> Result<Signal<AmqpStreamDelivery>, SourceError> {
        let Some(opened) = &mut self.opened else {
            return Err(SourceError::new("the stream is not open"));
        };
        Ok(match opened.next().await? {
            Signal::Alive { lag } => Signal::Alive { lag },
            Signal::CaughtUp => Signal::CaughtUp,
            Signal::Message(message) => {
                self.seen.note(&message);
                Signal::Message(AmqpStreamDelivery {
                    offset: message.offset,
                    lag: opened.lag(message.offset),
                    payload: message.delivery.data,
                    dead_letters: self.dead_letters.clone(),
                })
            }
        })
    }

    async fn close(&mut self) {
        if let Some(opened) = self.opened.take() {
            opened.close().await;
        }
    }
}
