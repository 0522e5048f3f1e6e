//! A connection to one broker.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::source::error::SourceError;
use crate::source::kafka::wire::bytes_reader::BytesReader;
use crate::source::kafka::wire::bytes_writer::BytesWriter;
use crate::source::kafka::wire::handshake::{ApiVersions, SpokenVersions};
use crate::source::kafka::wire::request::KafkaRequest;

/// A connection to one broker, over which one request is under way at a time.
pub(crate) struct BrokerConnection {
    stream: Box<dyn ByteStream>,
    client_id: String,
    spoken: SpokenVersions,
    correlation: i32,
    /// What came of the answer that is awaited.
    received: BytesMut,
    /// Until when the broker reads nothing of this connection, as it said.
    throttled_until: Instant,
}

/// What carries bytes, whether or not they are encrypted.
pub(crate) trait ByteStream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> ByteStream for S {}

/// What came of an answer within a while.
#[derive(Debug)]
pub(crate) enum Received<T> {
    Answer(T),
    /// Some more of it.
    Part,
    Nothing,
}

/// A request that was sent, whose answer is awaited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    version: i16,
    correlation: i32,
    is_header_flexible: bool,
}

impl BrokerConnection {
    /// Begins to talk to a broker.
    pub(crate) async fn begin(stream: Box<dyn ByteStream>, client_id: &str) -> Result<Self, SourceError> {
        let mut connection = Self {
            stream,
            client_id: client_id.to_owned(),
            spoken: vec![(ApiVersions::API.key, (0, 0))],
            correlation: 0,
            received: BytesMut::new(),
            throttled_until: Instant::now(),
        };
        connection.spoken = connection.call(&ApiVersions).await?;
        Ok(connection)
    }

    /// Asks, and waits for the answer for a while.
    ///
    /// # Cancel safety
    ///
    /// None: afterwards the connection is good for nothing.
    pub(crate) async fn call<R: KafkaRequest>(&mut self, request: &R) -> Result<R::Answer, SourceError> {
        self.is_unthrottled().await;
        let answered = async {
            let sent = self.send(request).await?;
            let answer = self.frame().await?;
            read::<R>(sent, answer)
        };
        let late = |_| SourceError::new(format!("no answer to {} within {PATIENCE:?}", R::API.name));
        timeout(PATIENCE, answered).await.map_err(late)?
    }

    /// Sends a request. The answer has to be [received](Self::receive) before the next one is sent.
    pub(crate) async fn send<R: KafkaRequest>(&mut self, request: &R) -> Result<Sent, SourceError> {
        let spoken = self.spoken.iter().find(|(key, _)| *key == R::API.key);
        let version = R::API.version(request.newest(), spoken.map(|(_, versions)| *versions))?;
        self.correlation = self.correlation.wrapping_add(1);
        let is_flexible = R::API.is_flexible(version);
        let mut writer = BytesWriter::new(is_flexible);
        // The length is filled in below. The client's name has the same form in all versions.
        writer.i32(0).i16(R::API.key).i16(version).i32(self.correlation);
        writer.i16(i16::try_from(self.client_id.len()).unwrap_or(i16::MAX));
        writer.raw(self.client_id.as_bytes()).end();
        request.write(version, &mut writer);
        let bytes = writer.into_frame();
        let failed = |cause| SourceError::new("cannot write to the broker").because(cause);
        self.stream.write_all(&bytes).await.map_err(failed)?;
        self.stream.flush().await.map_err(failed)?;
        Ok(Sent {
            version,
            correlation: self.correlation,
            is_header_flexible: is_flexible,
        })
    }

    /// Waits for the answer to a request until then at most.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing of the answer.
    pub(crate) async fn receive<R: KafkaRequest>(
        &mut self,
        sent: Sent,
        until: Instant,
    ) -> Result<Received<R::Answer>, SourceError> {
        let before = self.received.len();
        match timeout_at(until, self.frame()).await {
            Ok(frame) => read::<R>(sent, frame?).map(Received::Answer),
            Err(_late) if self.received.len() > before => Ok(Received::Part),
            Err(_late) => Ok(Received::Nothing),
        }
    }

    /// Notes that the broker reads nothing more for so many milliseconds: what is asked before is asked then.
    pub(crate) fn throttle(&mut self, millis: i32) {
        let throttled = Duration::from_millis(u64::try_from(millis).unwrap_or_default());
        self.throttled_until = Instant::now() + throttled.min(LONGEST_THROTTLE);
    }

    /// Waits until the broker reads again what it is sent.
    pub(crate) async fn is_unthrottled(&self) {
        sleep_until(self.throttled_until).await;
    }

    /// The bytes of an answer.
    async fn frame(&mut self) -> Result<Bytes, SourceError> {
        loop {
            let mut missing = SOME;
            if let Some(length) = self.received.first_chunk::<LENGTH>() {
                let length = u32::from_be_bytes(*length) as usize;
                if length > LONGEST_ANSWER {
                    return Err(SourceError::new(format!(
                        "an answer of {length} bytes is longer than {} MiB, or of another protocol",
                        LONGEST_ANSWER >> 20
                    )));
                }
                if self.received.len() >= LENGTH + length {
                    let mut frame = self.received.split_to(LENGTH + length);
                    return Ok(frame.split_off(LENGTH).freeze());
                }
                missing = LENGTH + length - self.received.len();
            }
            self.received.reserve(missing.clamp(SOME, MUCH));
            let read = self.stream.read_buf(&mut self.received).await;
            let read = read.map_err(|cause| SourceError::new("cannot read from the broker").because(cause))?;
            if read == 0 {
                return Err(SourceError::new("the broker closed the connection"));
            }
        }
    }
}

fn read<R: KafkaRequest>(sent: Sent, frame: Bytes) -> Result<R::Answer, SourceError> {
    let failed =
        |cause: SourceError| SourceError::new(format!("cannot read the answer to {}", R::API.name)).because(cause);
    let mut reader = BytesReader::new(frame, sent.is_header_flexible);
    if reader.i32().map_err(failed)? != sent.correlation {
        return Err(failed(SourceError::new("it is the answer to another request")));
    }
    reader.end().map_err(failed)?;
    R::read(sent.version, &mut reader).map_err(failed)
}

/// How long a broker may take to answer, beyond what it was told to wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// The longest answer: a batch comes whole, however long it is.
const LONGEST_ANSWER: usize = 128 << 20;

/// A broker that wants to be left alone for longer is taken for one that is gone.
const LONGEST_THROTTLE: Duration = Duration::from_secs(60);

/// What comes before an answer: its length.
const LENGTH: usize = 4;

/// For how much there is room at least when more is read, and for how much at most before any of it came.
const SOME: usize = 16 * 1024;
const MUCH: usize = 1 << 20;
