//! A feed whose transport the host reads by itself.

use std::fmt;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, Delivery, EventSource, Signal};
use crate::source::position::{Position, Start};

/// Makes a feed of any transport: the host puts in the bytes of each message, and says whether it is connected.
///
/// A pipe proves nothing by itself: what the transport lost, it does not know. It is for messages that state their [place in their
/// issuer's own log](crate::LogPlace), which an [issuer](crate::format::revocation) of this crate's format writes, with its
/// heartbeats. The feed is live while these show that everything came in; whatever is missing is a gap within two seconds, on any
/// transport. Messages that state no place get in force all the same, and each opening is a gap then.
///
/// ```
/// # use tower_revocation::format::revocation::RevocationEvents;
/// # use tower_revocation::{RevocationLayer, identify, source};
/// # let (layer, sink) = RevocationLayer::pair(identify::jwt(http::header::AUTHORIZATION, "Bearer"));
/// # async fn next_of_mqtt() -> Result<Vec<u8>, std::io::Error> { std::future::pending().await }
/// # async fn example(sink: tower_revocation::EventSink) {
/// let (inlet, pipe) = source::pipe("mqtt:revocations");
/// let decode = RevocationEvents::from_source("https://auth.example.com");
/// tokio::spawn(source::drive(pipe, decode, sink).run());
/// loop {
///     // The client connects, and subscribes.
///     inlet.connected();
///     let error = loop {
///         match next_of_mqtt().await {
///             Ok(message) => drop(inlet.put(message).await),
///             Err(error) => break error,
///         }
///     };
///     inlet.disconnected(error);
/// }
/// # }
/// ```
#[must_use]
pub fn pipe(name: impl Into<String>) -> (PipeInlet, Pipe) {
    let (messages, taken) = mpsc::channel(ROOM);
    let (state, connection) = watch::channel(Connection::default());
    let inlet = PipeInlet { messages, state };
    let source = Pipe {
        name: name.into(),
        messages: taken,
        connection,
        opened: 0,
    };
    (inlet, source)
}

/// The end of a [`pipe`] into which the host puts messages.
#[derive(Debug)]
pub struct PipeInlet {
    messages: mpsc::Sender<PipeMessage>,
    state: watch::Sender<Connection>,
}

impl PipeInlet {
    /// Says that the transport is connected, and subscribed: from here on messages come.
    pub fn connected(&self) {
        self.state.send_modify(|connection| {
            connection.count += 1;
            connection.broken = None;
        });
    }

    /// Says that the transport is not connected any more, and why. Messages may be lost from here on.
    pub fn disconnected(&self, why: impl fmt::Display) {
        self.state
            .send_modify(|connection| connection.broken = Some(why.to_string()));
    }

    /// Puts in a message. Waits while 1,024 of them are not taken yet.
    ///
    /// What it returns says when the message is settled: acknowledge it then, if the transport has that. It may be dropped.
    ///
    /// # Errors
    ///
    /// Returns an error if nobody reads the feed any more.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it ends, the message is not put in.
    pub async fn put(&self, message: impl Into<Bytes>) -> Result<PipeSettled, SourceError> {
        let (settled, told) = oneshot::channel();
        let message = PipeMessage {
            payload: message.into(),
            settled: Some(settled),
        };
        let put = self.messages.send(message).await;
        put.map_err(|_| SourceError::new("nobody reads the pipe any more"))?;
        Ok(PipeSettled(told))
    }
}

/// Says when a message that was put into a pipe is settled.
#[derive(Debug)]
#[must_use = "dropped, it says nothing; the message is taken in all the same"]
pub struct PipeSettled(oneshot::Receiver<Option<DeadLetter>>);

impl PipeSettled {
    /// Waits until the message is in force, and durable if there is a journal. Returns the dead letter if it can never be applied:
    /// store it where somebody looks.
    ///
    /// # Errors
    ///
    /// Returns an error if the feed ended, or was opened anew, before the message was settled. Do not acknowledge it then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing for the message.
    pub async fn settled(self) -> Result<Option<DeadLetter>, SourceError> {
        self.0
            .await
            .map_err(|_| SourceError::new("the feed ended before the message was settled"))
    }
}

/// The end of a [`pipe`] that [`drive`](super::drive) reads.
#[derive(Debug)]
pub struct Pipe {
    name: String,
    messages: mpsc::Receiver<PipeMessage>,
    connection: watch::Receiver<Connection>,
    /// Which connection is read.
    opened: u64,
}

/// How the transport is.
#[derive(Clone, Debug, Default)]
struct Connection {
    /// How often it was connected.
    count: u64,
    broken: Option<String>,
}

impl EventSource for Pipe {
    type Delivery = PipeMessage;

    fn name(&self) -> &str {
        &self.name
    }

    async fn open(&mut self, _start: &Start) -> Result<Continuity, SourceError> {
        let is_connected = |connection: &Connection| connection.count > 0 && connection.broken.is_none();
        let connected = self.connection.wait_for(is_connected).await;
        self.opened = connected.map_err(|_| gone())?.count;
        Ok(Continuity::Unproven)
    }

    async fn next(&mut self) -> Result<Signal<Self::Delivery>, SourceError> {
        loop {
            tokio::select! {
                biased;
                message = self.messages.recv() => return message.map(Signal::Message).ok_or_else(gone),
                changed = self.connection.changed() => {
                    changed.map_err(|_| gone())?;
                    let connection = self.connection.borrow_and_update();
                    if let Some(why) = &connection.broken {
                        return Err(SourceError::new(format!("disconnected: {why}")));
                    }
                    if connection.count != self.opened {
                        return Err(SourceError::new("it was disconnected, and connected again"));
                    }
                }
            }
        }
    }
}

/// A message of a pipe.
#[derive(Debug)]
pub struct PipeMessage {
    payload: Bytes,
    settled: Option<oneshot::Sender<Option<DeadLetter>>>,
}

impl Delivery for PipeMessage {
    fn payload(&self) -> &[u8] {
        &self.payload
    }

    fn position(&self) -> Option<Position> {
        None
    }

    async fn ack(&mut self) -> Result<(), SourceError> {
        self.tell(None);
        Ok(())
    }

    async fn dead_letter(&mut self, letter: &DeadLetter) -> Result<(), SourceError> {
        self.tell(Some(letter.clone()));
        Ok(())
    }
}

impl PipeMessage {
    fn tell(&mut self, outcome: Option<DeadLetter>) {
        if let Some(settled) = self.settled.take() {
            // The host may not want to know.
            let _ = settled.send(outcome);
        }
    }
}

fn gone() -> SourceError {
    SourceError::new("the pipe's inlet is gone")
}

/// How many messages may wait to be taken.
const ROOM: usize = 1_024;
