//! RabbitMQ streams.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use lapin::Connection;
use tokio::time::Instant;

use crate::issuer::publisher::{Confirmed, OutgoingMessage, Promise, PublishError, Publisher, is_from};
use crate::source::SourceError;
use crate::source::amqp::{Connector, StreamLog};

/// Publishes to a stream of RabbitMQ, confirmed and `mandatory`. Several issuers may share a stream.
///
/// RabbitMQ takes no condition on what is last in a stream, so that the stream is read back: after each publication, and with each
/// heartbeat.
///
/// The issuer has to be allowed to configure the stream if it is to make it, to write to the default exchange, and to read the stream.
pub struct AmqpPublisher {
    connect: Connector,
    stream: String,
    name: String,
    retention: Duration,
    log: Option<StreamLog>,
    /// What was published last and is not read back.
    expected: Option<Bytes>,
    newest: Option<Bytes>,
}

impl AmqpPublisher {
    /// Returns a publisher to a stream. What connects is called again after each failure; leave its `enable_auto_recover` off.
    #[must_use]
    pub fn new<C, F>(connect: C, stream: impl Into<String>) -> Self
    where
        C: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = lapin::Result<Connection>> + Send + 'static,
    {
        let stream = stream.into();
        Self {
            connect: Connector::new(connect),
            name: format!("amqp:{stream}"),
            stream,
            retention: DEFAULT_RETENTION,
            log: None,
            expected: None,
            newest: None,
        }
    }

    /// Sets for how long the stream keeps messages, if it is not there yet. Defaults to a week.
    #[must_use]
    pub const fn with_retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    fn failed(&self, error: SourceError) -> PublishError {
        PublishError::failed(self.name.clone()).because(error)
    }

    async fn read(&mut self, source: &str, most: usize) -> Result<Vec<Bytes>, SourceError> {
        let missing = || SourceError::new("it was not connected");
        let log = self.log.as_mut().ok_or_else(missing)?;
        if let Some(expected) = self.expected.take() {
            // What was read before is known; the stream goes on behind it.
            let mut found: Vec<_> = self.newest.take().into_iter().collect();
            let until = Instant::now() + READABLE_WITHIN;
            while found.last() != Some(&expected) {
                let Some(message) = log.next(until).await? else {
                    break;
                };
                if is_from(source, &message) {
                    found.push(message);
                }
            }
            self.newest = found.last().cloned();
            return Ok(found.split_off(found.len().saturating_sub(most)));
        }
        let mut found = log.newest(most.max(FEW)).await?;
        found.retain(|message| is_from(source, message));
        self.newest = found.last().cloned();
        Ok(found.split_off(found.len().saturating_sub(most)))
    }
}

impl Publisher for AmqpPublisher {
    fn name(&self) -> &str {
        &self.name
    }

    async fn ensure(&mut self) -> Result<Promise, PublishError> {
        (self.log, self.expected, self.newest) = (None, None, None);
        let opened = StreamLog::open(&self.connect, &self.stream, self.retention).await;
        let (log, other) = opened.map_err(|error| self.failed(error))?;
        self.log = Some(log);
        // How many nodes have it, AMQP does not say.
        let mut promise = Promise::default();
        if let Some(other) = other.filter(|words| words.contains("'durable'") || words.contains("'x-queue-type'")) {
            promise.warn("x-queue-type, durable", format!("are not those of a stream: {other}"));
        }
        Ok(promise)
    }

    async fn read_back(&mut self, source: &str, most: usize) -> Result<Vec<Bytes>, PublishError> {
        let found = self.read(source, most).await;
        found.map_err(|error| self.failed(error))
    }

    async fn publish(&mut self, _source: &str, messages: &[OutgoingMessage]) -> Result<Confirmed, PublishError> {
        let Some(log) = &mut self.log else {
            return Err(PublishError::failed(format!("{}: it was not connected", self.name)));
        };
        let all: Vec<_> = messages
            .iter()
            .map(|message| (&*message.id, &message.payload[..]))
            .collect();
        self.expected = messages.last().map(|last| last.payload.clone());
        let appended = log.append(&all).await;
        appended.map_err(|error| self.failed(error))?;
        Ok(Confirmed::default())
    }
}

impl fmt::Debug for AmqpPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpPublisher")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

const DEFAULT_RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const READABLE_WITHIN: Duration = Duration::from_secs(3);

/// How many messages are looked at for the newest of the issuer.
const FEW: usize = 100;
