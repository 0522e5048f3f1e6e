//! A stream as one replica reads it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{Context, ContextBuilder};
use async_nats::{Client, ConnectError};
use tokio::select;
use tokio::time::Instant;

use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, EventSource, Signal};
use crate::source::log::{LogDeadLetters, LogDelivery};
use crate::source::nats::connection::NatsConnection;
use crate::source::nats::dead_letters::NatsDeadLetters;
use crate::source::nats::events::NatsEvents;
use crate::source::nats::leader::{NoAnswer, StreamLeader};
use crate::source::nats::opened::OpenedStream;
use crate::source::nats::opening::Opening;
use crate::source::nats::seen::Seen;
use crate::source::position::Start;

/// A stream of JetStream, read by one replica. See the [module](super) for what it asks of the client, the stream and the
/// account.
pub struct NatsSource {
    name: String,
    filter: Option<String>,
    client: Client,
    new_client: Option<NewClient>,
    events: NatsEvents,
    api_prefix: String,
    leader: StreamLeader,
    dead_letters: Option<String>,
    open: Option<Box<OpenedStream>>,
    seen: Option<Seen>,
    /// When the client was last told to look for another server.
    moved: Option<Instant>,
}

impl NatsSource {
    /// Returns a source of the stream of this name, which `client` is to read.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn new(client: Client, stream: impl Into<String>) -> Self {
        let stream = stream.into();
        Self {
            name: format!("nats:{stream}"),
            filter: None,
            api_prefix: API_PREFIX.to_owned(),
            leader: StreamLeader {
                context: context(&client, API_PREFIX),
                stream,
            },
            client,
            new_client: None,
            events: NatsEvents::new(),
            dead_letters: None,
            open: None,
            seen: None,
            moved: None,
        }
    }

    /// Reads the stream of another JetStream domain, such as the hub's from a leaf node: `$JS.hub.API` for the domain `hub`.
    /// By default it is that of the server that the client is connected to.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn with_domain(self, domain: impl AsRef<str>) -> Self {
        let prefix = format!("$JS.{}.API", domain.as_ref());
        self.with_api_prefix(prefix)
    }

    /// Reaches JetStream under a prefix: the one under which another account exports its own. Defaults to `$JS.API`.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn with_api_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.api_prefix = prefix.into();
        self.leader.context = context(&self.client, &self.api_prefix);
        self
    }

    /// Shows in the status what the client [tells](NatsEvents::watch) of its connection. By default it is not known why a client
    /// cannot connect.
    #[must_use]
    pub fn with_events(mut self, events: NatsEvents) -> Self {
        self.events = events;
        self
    }

    /// Connects a new client by this whenever the one that there is has ended for good. By default the feed is down from then on.
    ///
    /// Clients reconnect by themselves. They end if their attempts are limited, if they are closed, or if one of their tasks
    /// panics, as with TLS if rustls has no default `CryptoProvider`.
    #[must_use]
    pub fn with_new_client<C, F>(mut self, connect: C) -> Self
    where
        C: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<Client, ConnectError>> + Send + 'static,
    {
        self.new_client = Some(Box::new(move || Box::pin(connect())));
        self
    }

    /// Reads only messages of this subject, which may have wildcards. By default all messages of the stream are read.
    ///
    /// # Security
    ///
    /// In a stream that has other subjects as well, it is not noticed if messages are trimmed before a reader that is too slow
    /// gets to them: give the feed a stream of its own.
    #[must_use]
    pub fn with_subject(mut self, filter: impl Into<String>) -> Self {
        self.filter = Some(filter.into());
        self
    }

    /// Publishes messages that can never be applied to this subject, with a header `Revocation-Dead-Letter` that has
    /// [the rest in JSON](crate::source::DeadLetter::to_json). By default they are logged and counted, and that is all.
    ///
    /// A stream has to be there that stores the subject, and not the one that is read. All replicas publish a message under
    /// the same `Nats-Msg-Id`, and the stream keeps the first of them if the others come within its `duplicate_window`.
    #[must_use]
    pub fn with_dead_letters(mut self, subject: impl Into<String>) -> Self {
        self.dead_letters = Some(subject.into());
        self
    }
}

impl EventSource for NatsSource {
    type Delivery = LogDelivery;

    fn name(&self) -> &str {
        &self.name
    }

    async fn open(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        let began = Instant::now();
        // What is asked and answered takes much room.
        let opened = Box::pin(self.open_anew(start)).await;
        opened.map_err(|error| self.events.explain(error, began))
    }

    async fn next(&mut self) -> Result<Signal<LogDelivery>, SourceError> {
        let open = self.open.as_mut().ok_or_else(|| SourceError::new("not open"))?;
        open.next().await
    }

    async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.discard().await;
        }
        // The consumer's end is still on its way.
        let _ = self.client.flush().await;
    }
}

impl NatsSource {
    async fn open_anew(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        let old = self.open.take();
        if let Some(connect) = &self.new_client
            && NatsConnection::is_over(&self.client)
        {
            let connected = connect().await;
            self.client = connected.map_err(|error| SourceError::new("cannot connect to NATS").because(error))?;
            self.leader.context = context(&self.client, &self.api_prefix);
        }
        let mut connection = NatsConnection::up(self.client.clone()).await?;
        if let Some(old) = old {
            self.seen = old.seen().or(self.seen);
            let is_leaderless = old.is_leaderless();
            old.discard().await;
            if is_leaderless {
                self.move_on(&connection).await;
                connection = NatsConnection::up(self.client.clone()).await?;
            }
        }
        let after = start.after(0).and_then(|after| u64::try_from(after).ok());
        self.seen = self.seen.filter(|seen| Some(seen.delivered) == after);
        let opening = Opening {
            client: &self.client,
            leader: &self.leader,
            filter: self.filter.as_deref(),
            dead_letters: self.dead_letters.as_deref(),
            seen: self.seen.map_or(0, |seen| seen.to),
        };
        let begun = select! {
            biased;
            begun = opening.begin(start) => begun,
            error = connection.broken() => return Err(error),
        };
        let begun = match begun {
            Ok(begun) => begun,
            Err(NoAnswer { error, is_leaderless }) => {
                if is_leaderless {
                    self.move_on(&connection).await;
                }
                return Err(error);
            }
        };
        let dead_letters = self.dead_letters.clone().map(|subject| NatsDeadLetters {
            subject,
            context: self.leader.context.clone(),
            created: begun.wholeness.created,
        });
        let dead_letters = dead_letters.map(|dead_letters| Arc::new(dead_letters) as Arc<dyn LogDeadLetters>);
        let continuity = begun.continuity.clone();
        // Numbers of a log that was lost mean nothing in the new one.
        self.seen = self.seen.filter(|_| continuity == Continuity::Complete);
        self.open = Some(Box::new(OpenedStream::new(
            begun,
            connection,
            self.leader.clone().watch(),
            self.seen,
            dead_letters,
        )));
        Ok(continuity)
    }

    /// Has the client look for another server, if it knows of one: this one may be cut off from the stream's leader.
    async fn move_on(&mut self, connection: &NatsConnection) {
        if self.moved.is_none_or(|moved| moved.elapsed() >= MOVES) && connection.has_others().await {
            self.moved = Some(Instant::now());
            connection.leave().await;
        }
    }
}

impl fmt::Debug for NatsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsSource")
            .field("name", &self.name)
            .field("filter", &self.filter)
            .finish_non_exhaustive()
    }
}

fn context(client: &Client, api_prefix: &str) -> Context {
    let context = ContextBuilder::new().api_prefix(api_prefix).timeout(REQUEST_TIMEOUT);
    context.build(client.clone())
}

type NewClient = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Client, ConnectError>> + Send>> + Send + Sync>;

const API_PREFIX: &str = "$JS.API";

/// How long the server may take for an answer. The loop asks again.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// How often the client is told at most to look for another server.
const MOVES: Duration = Duration::from_secs(5);
