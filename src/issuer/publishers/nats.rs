//! NATS JetStream.

use std::fmt;
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::{CreateStreamErrorKind, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, Info, LastRawMessageErrorKind, RetentionPolicy, StorageType, Stream};
use async_nats::jetstream::{Context, ContextBuilder, ErrorCode};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::sleep;

use crate::issuer::publisher::{Confirmed, OutgoingMessage, Promise, PublishError, Publisher, is_from};

/// Publishes to a stream of NATS JetStream, on a subject that is the issuer's alone.
///
/// Each message is published with the number of the one that has to be the last on the subject (`Nats-Expected-Last-Subject-Sequence`):
/// a stream that lost some refuses it. Confirmations and what is read back come from the stream's leader.
///
/// The issuer has to be allowed to publish to the subject, to `$JS.API.STREAM.INFO.S`, `$JS.API.STREAM.MSG.GET.S`,
/// `$JS.API.CONSUMER.CREATE.S.>` and `$JS.API.CONSUMER.MSG.NEXT.S.*`, to subscribe to `_INBOX.>`, and to `$JS.API.STREAM.CREATE.S` if it
/// is to make the stream.
pub struct NatsPublisher {
    context: Context,
    stream: String,
    subject: String,
    name: String,
    replicas: usize,
    retention: Duration,
    handle: Option<Stream>,
    /// The number of the last message on the subject.
    last: u64,
}

impl NatsPublisher {
    /// Returns a publisher to a subject of a stream.
    #[must_use]
    pub fn new(client: Client, stream: impl Into<String>, subject: impl Into<String>) -> Self {
        let (stream, subject) = (stream.into(), subject.into());
        Self {
            // A leader that died confirms nothing: the sooner the next one is asked, the better.
            context: ContextBuilder::new().timeout(CONFIRMED_WITHIN).build(client),
            name: format!("nats:{stream}:{subject}"),
            stream,
            subject,
            replicas: DEFAULT_REPLICAS,
            retention: DEFAULT_RETENTION,
            handle: None,
            last: 0,
        }
    }

    /// Sets how many replicas the stream is made with, if it is not there yet. Defaults to three, and to one if the server has no others.
    #[must_use]
    pub const fn with_replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// Sets for how long the stream keeps messages, if it is not there yet. Defaults to a week.
    #[must_use]
    pub const fn with_retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    async fn look(&self) -> Result<Option<Stream>, PublishError> {
        match self.context.get_stream(&self.stream).await {
            Ok(stream) => Ok(Some(stream)),
            Err(error) if is_missing(&error.kind()) => Ok(None),
            Err(error) => Err(self.failed("cannot look at the stream", error)),
        }
    }

    async fn make(&self) -> Result<Stream, PublishError> {
        let config = |replicas| Config {
            name: self.stream.clone(),
            subjects: vec![self.subject.clone()],
            retention: RetentionPolicy::Limits,
            storage: StorageType::File,
            max_age: self.retention,
            num_replicas: replicas,
            ..Config::default()
        };
        let made = match self.context.create_stream(config(self.replicas)).await {
            Err(error) if is_alone(&error.kind()) => self.context.create_stream(config(1)).await,
            made => made,
        };
        made.map_err(|error| self.failed("cannot make the stream", error))
    }

    fn failed(&self, what: &str, cause: impl std::error::Error + Send + Sync + 'static) -> PublishError {
        PublishError::failed(format!("{}: {what}", self.name)).because(cause)
    }

    fn handle(&self) -> Result<Stream, PublishError> {
        let missing = || PublishError::failed(format!("{}: it was not connected", self.name));
        self.handle.clone().ok_or_else(missing)
    }

    /// The messages on the subject from a number on, up to the last.
    async fn all_from(&self, stream: &Stream, first: u64, last: u64) -> Result<Vec<Bytes>, PublishError> {
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: first },
            filter_subject: self.subject.clone(),
            ack_policy: AckPolicy::None,
            memory_storage: true,
            num_replicas: 1,
            inactive_threshold: SOON,
            ..pull::Config::default()
        };
        let consumer = stream.create_consumer(config).await;
        let consumer = consumer.map_err(|error| self.failed("cannot read the stream", error))?;
        let messages = consumer.messages().await;
        let mut messages = messages.map_err(|error| self.failed("cannot read the stream", error))?;
        let mut found = Vec::new();
        while let Some(message) = messages.next().await {
            let message = message.map_err(|error| self.failed("cannot read the stream", error))?;
            let info = message
                .info()
                .map_err(|error| PublishError::failed(error.to_string()))?;
            let number = info.stream_sequence;
            found.push(message.payload.clone());
            if number >= last {
                break;
            }
        }
        Ok(found)
    }
}

impl Publisher for NatsPublisher {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_conditional(&self) -> bool {
        true
    }

    async fn ensure(&mut self) -> Result<Promise, PublishError> {
        let mut found = self.look().await?;
        if found.is_none() {
            // A server that has just come back may not have it yet, and an empty one would take its place.
            sleep(LOOK_AGAIN).await;
            found = self.look().await?;
        }
        let stream = match found {
            Some(stream) => stream,
            None => self.make().await?,
        };
        let promise = promise(stream.cached_info());
        self.handle = Some(stream);
        Ok(promise)
    }

    async fn read_back(&mut self, source: &str, most: usize) -> Result<Vec<Bytes>, PublishError> {
        let stream = self.handle()?;
        let last = match stream.get_last_raw_message_by_subject(&self.subject).await {
            Ok(last) => last,
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => {
                self.last = 0;
                return Ok(Vec::new());
            }
            Err(error) => return Err(self.failed("cannot read the last message", error)),
        };
        self.last = last.sequence;
        let mut found = match most {
            1 => vec![last.payload],
            most => {
                let first = last.sequence.saturating_sub(most as u64).max(1);
                self.all_from(&stream, first, last.sequence).await?
            }
        };
        found.retain(|message| is_from(source, message));
        Ok(found)
    }

    async fn publish(&mut self, _source: &str, messages: &[OutgoingMessage]) -> Result<Confirmed, PublishError> {
        for message in messages {
            let publication = PublishMessage::build()
                .payload(message.payload.clone())
                .message_id(&message.id)
                .expected_stream(&self.stream)
                .expected_last_subject_sequence(self.last);
            let sent = self.context.send_publish(self.subject.clone(), publication).await;
            let confirmed = match sent {
                Ok(sent) => sent.await,
                Err(error) => Err(error),
            };
            match confirmed {
                Ok(confirmed) => self.last = confirmed.sequence,
                Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => {
                    let words = format!(
                        "{}: the last message on the subject is not number {}",
                        self.name, self.last
                    );
                    return Err(PublishError::refused(words).because(error));
                }
                Err(error) => return Err(self.failed("cannot publish", error)),
            }
        }
        Ok(Confirmed::default())
    }
}

impl fmt::Debug for NatsPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsPublisher")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What a stream as it is promises.
fn promise(info: &Info) -> Promise {
    let config = &info.config;
    let mut promise = Promise::of_copies(u32::try_from(config.num_replicas).unwrap_or(u32::MAX));
    if config.num_replicas < 3 {
        let words = format!(
            "is {}: the stream comes back empty if its server loses its disk; set 3",
            config.num_replicas
        );
        promise.warn("num_replicas", words);
    }
    if config.storage == StorageType::Memory {
        promise.warn(
            "storage",
            "is memory: a restart of its servers loses everything; set file",
        );
    }
    if config.retention != RetentionPolicy::Limits {
        promise.warn(
            "retention",
            "is not limits: gateways take messages away from each other",
        );
    }
    if config.max_messages_per_subject > 0 {
        let words = format!(
            "is {}: older messages of the issuer are dropped",
            config.max_messages_per_subject
        );
        promise.warn("max_msgs_per_subject", words);
    }
    if config.no_ack {
        promise.warn("no_ack", "is set: nothing is confirmed");
    }
    let is_short = |age: Duration| !age.is_zero() && age < SHORT_RETENTION;
    if is_short(config.max_age) {
        promise.warn(
            "max_age",
            format!("is {:?}: gateways that are away for longer need a list", config.max_age),
        );
    }
    if config.mirror.is_some() || config.sources.as_ref().is_some_and(|sources| !sources.is_empty()) {
        promise.warn("mirror, sources", "are set: what another stream says comes in between");
    }
    promise
}

fn is_missing(kind: &async_nats::jetstream::context::GetStreamErrorKind) -> bool {
    use async_nats::jetstream::context::GetStreamErrorKind;
    matches!(kind, GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

/// Whether there are no servers for more replicas.
fn is_alone(kind: &CreateStreamErrorKind) -> bool {
    matches!(kind, CreateStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED)
}

const CONFIRMED_WITHIN: Duration = Duration::from_secs(2);
const DEFAULT_REPLICAS: usize = 3;
const DEFAULT_RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const SHORT_RETENTION: Duration = Duration::from_secs(60 * 60);

/// How long to wait before a stream is believed to be missing.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// When the server forgets whoever reads back.
const SOON: Duration = Duration::from_secs(5);
