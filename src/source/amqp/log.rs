//! A stream as it can be asked about.

use std::fmt;
use std::time::Duration;

use lapin::Connection;
use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use tokio::time::{Instant, timeout_at};

use crate::model::timestamp::Timestamp;
use crate::source::amqp::connect::{Connector, because, channel, look, short};
use crate::source::amqp::pulse::Pulse;
use crate::source::amqp::reader::{CREDIT, Reader};
use crate::source::amqp::seen::Seen;
use crate::source::error::SourceError;

/// A stream, over a connection of its own.
pub(super) struct Log {
    connection: Connection,
    stream: ShortString,
}

/// A place in a stream.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Oldest,
    /// The beginning of the last chunk of messages that were written together.
    LastChunk,
    At(u64),
    Since(Timestamp),
}

impl Log {
    /// Connects. Fails if there is no such stream.
    pub(super) async fn connect(connect: &Connector, stream: &str) -> Result<Self, SourceError> {
        let stream = short(stream)?;
        let connection = connect.connect().await?;
        let seen = look(&channel(&connection).await?, &stream).await;
        seen.map_err(because(format!("cannot look at stream {stream}")))?;
        Ok(Self { connection, stream })
    }

    /// Reads from a place on.
    pub(super) async fn read(&self, place: Place, credit: u16) -> Result<Reader, SourceError> {
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
        Ok(Reader::new(channel, consumer))
    }

    /// Reads on after an offset. If it cannot be shown that nothing is missing: why not.
    ///
    /// It starts at that offset itself. If the stream still has it, and the same message there, then it has everything
    /// that comes after; and an offset beyond the end of the stream would be taken without complaint, and nothing read
    /// until then.
    pub(super) async fn read_after(&self, after: u64, seen: &Seen) -> Result<Result<Reader, String>, SourceError> {
        let mut reader = self.read(Place::At(after), CREDIT).await?;
        Ok(match reader.first(PATIENCE).await? {
            None => Err("the stream ends before what was read of it".to_owned()),
            // There may be no message with that offset: then it is the next one.
            Some(first) if first.offset > after.saturating_add(1) => Err("the stream was trimmed".to_owned()),
            Some(first) if !seen.agrees(first) => Err("the stream is another one".to_owned()),
            Some(_) => Ok(reader),
        })
    }

    /// The offset of the oldest message. `None` if there is none, or if none comes in time: the protocol cannot tell.
    pub(super) async fn oldest(&self) -> Result<Option<u64>, SourceError> {
        let mut reader = self.read(Place::Oldest, 1).await?;
        Ok(reader.first(PATIENCE).await?.map(|oldest| oldest.offset))
    }

    /// The offset of the newest message, or of one that came while it was looked for; `None` as above.
    ///
    /// Nothing says where the last chunk ends: it is read for a moment. On a busy stream it never does end.
    pub(super) async fn newest(&self) -> Result<Option<u64>, SourceError> {
        let mut reader = self.read(Place::LastChunk, u16::MAX).await?;
        let Some(first) = reader.first(PATIENCE).await? else {
            return Ok(None);
        };
        let mut newest = first.offset;
        let end = Instant::now() + MOMENT;
        while let Ok(message) = timeout_at(end, reader.next()).await {
            newest = newest.max(message?.offset);
        }
        Ok(Some(newest))
    }

    pub(super) async fn pulse(&self) -> Result<Pulse, SourceError> {
        Ok(Pulse::new(channel(&self.connection).await?, self.stream.clone()))
    }

    pub(super) async fn close(self) {
        // It is over in any case.
        let _ = self.connection.close(REPLY_SUCCESS, "OK".into()).await;
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("stream", &self.stream)
            .field("is_connected", &self.connection.status().connected())
            .finish()
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
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the last chunk is read.
const MOMENT: Duration = Duration::from_millis(100);
const REPLY_SUCCESS: u16 = 200;
