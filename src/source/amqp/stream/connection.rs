//! A stream as it can be asked about.

use std::future::ready;
use std::pin::pin;
use std::time::Duration;

use lapin::Connection;
use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use tokio::select;
use tokio::time::timeout;

use crate::model::timestamp::Timestamp;
use crate::source::amqp::connection::{Connector, because, channel, close, look, short};
use crate::source::amqp::liveness::Liveness;
use crate::source::amqp::stream::consumer::StreamMessages;
use crate::source::error::SourceError;

/// A stream, over a connection of its own.
pub(super) struct StreamConnection {
    connection: Connection,
    stream: ShortString,
}

/// A place in a stream.
pub(super) enum Place {
    Oldest,
    /// The beginning of the last chunk of messages that were written together.
    LastChunk,
    At(u64),
    Since(Timestamp),
}

impl StreamConnection {
    /// Connects. Fails if there is no such stream.
    pub(super) async fn open(connect: &Connector, stream: &str) -> Result<Self, SourceError> {
        let stream = short(stream)?;
        let connection = connect.connect().await?;
        let seen = look(&channel(&connection).await?, &stream).await;
        seen.map_err(because(format!("cannot look at stream {stream}")))?;
        Ok(Self { connection, stream })
    }

    /// Reads from a place on.
    pub(super) async fn read(&self, place: Place, credit: u16) -> Result<StreamMessages, SourceError> {
        let attempt = || because(format!("cannot read stream {}", self.stream));
        let channel = channel(&self.connection).await?;
        let qos = channel.basic_qos(credit, BasicQosOptions::default()).await;
        qos.map_err(attempt())?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-stream-offset".into(), place.into());
        let consumer = channel
            .basic_consume(
                self.stream.clone(),
                "".into(),
                BasicConsumeOptions::default(),
                arguments,
            )
            .await
            .map_err(attempt())?;
        Ok(StreamMessages::new(channel, consumer))
    }

    /// The offset of the oldest message. `None` if there is none, or if none comes in time: the protocol cannot tell.
    pub(super) async fn oldest(&self) -> Result<Option<u64>, SourceError> {
        let mut messages = self.read(Place::Oldest, 1).await?;
        Ok(messages.first(PATIENCE).await?.map(|oldest| oldest.offset))
    }

    /// The offset of the newest message, or of one that came while it was looked for; `None` as above.
    ///
    /// The broker sends the last chunk at once, and what it is asked then it answers behind that.
    pub(super) async fn newest(&self) -> Result<Option<u64>, SourceError> {
        let mut messages = self.read(Place::LastChunk, u16::MAX).await?;
        let Some(first) = messages.first(PATIENCE).await? else {
            return Ok(None);
        };
        let mut newest = first.offset;
        let all_came = messages.all_came(u16::MAX);
        let mut all_came = pin!(all_came);
        let mut is_last = false;
        loop {
            select! {
                biased;
                message = timeout(SILENCE, messages.next()) => match message {
                    Ok(message) => newest = newest.max(message?.offset),
                    Err(_late) => return Ok(None),
                },
                () = ready(()), if is_last => return Ok(Some(newest)),
                came = &mut all_came => {
                    came?;
                    is_last = true;
                }
            }
        }
    }

    pub(super) async fn liveness(&self) -> Result<Liveness, SourceError> {
        Ok(Liveness::new(channel(&self.connection).await?, self.stream.clone()))
    }

    pub(super) async fn close(&self) {
        close(&self.connection).await;
    }
}

impl From<Place> for AMQPValue {
    fn from(place: Place) -> Self {
        match place {
            Place::Oldest => Self::LongString("first".into()),
            Place::LastChunk => Self::LongString("last".into()),
            Place::At(offset) => Self::LongLongInt(i64::try_from(offset).unwrap_or(i64::MAX)),
            // Whole seconds, so from up to a second earlier.
            Place::Since(time) => Self::Timestamp(time.as_unix_secs()),
        }
    }
}

/// How long to wait for a message that should be there: 1 second. Without load it takes some milliseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// How long the broker may send nothing of the last chunk.
const SILENCE: Duration = Duration::from_secs(3);
