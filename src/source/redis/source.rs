//! A stream as one replica reads it.

use std::fmt;
use std::future::{pending, ready};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt;
use redis::{Client, RedisResult};
use tokio::sync::watch;

use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, EventSource, Signal};
use crate::source::log::{LogDeadLetters, LogDelivery, ReadAhead};
use crate::source::position::Start;
use crate::source::redis::authority::Authority;
use crate::source::redis::connection::{ClientProvider, Node, Server, words};
use crate::source::redis::dead_letters::RedisDeadLetters;
use crate::source::redis::questions::{StreamLook, look};
use crate::source::redis::reader::StreamReader;
use crate::source::redis::sentinels::Sentinels;

/// A stream of Redis as one replica reads it. See the [module](super) for how to publish to it and what it promises.
///
/// It connects when it is opened, and anew whenever it is opened anew. One connection waits for messages; others are made when they
/// are first needed, and store dead letters or tell whether the server is there while an answer takes long.
pub struct RedisSource {
    clients: ClientProvider,
    /// Other servers than the client is for.
    nodes: Vec<Node>,
    /// Where the stream was when it was last opened, if that is another one.
    home: Option<Node>,
    sentinels: Option<Sentinels>,
    authority: Authority,
    key: Arc<str>,
    field: Arc<str>,
    name: String,
    dead_letters: Option<String>,
    reading: Option<ReadAhead>,
}

impl RedisSource {
    /// Returns a source of the stream at a key. Messages are in the field [`d`](Self::DEFAULT_FIELD) of its entries.
    #[must_use]
    pub fn new(client: Client, key: impl Into<String>) -> Self {
        Self::connecting(move || ready(Ok(client.clone())), key)
    }

    /// Returns a source that asks for a client each time that it connects: for passwords, tokens and certificates that are replaced
    /// while it runs.
    ///
    /// What the closure does is part of opening, which may take [10 seconds](crate::source::DEFAULT_OPEN_TIMEOUT) by default. Its
    /// error counts like that of a server that cannot be reached.
    ///
    /// ```
    /// use tower_revocation::source::redis::{RedisSource, redis};
    ///
    /// # async fn password() -> redis::RedisResult<String> { Ok(String::new()) }
    /// let client = async || {
    ///     // From a file, a vault, a provider of tokens.
    ///     let settings = redis::RedisConnectionInfo::default().set_username("gateway").set_password(password().await?);
    ///     let server = redis::IntoConnectionInfo::into_connection_info("redis://127.0.0.1/")?;
    ///     redis::Client::open(server.set_redis_settings(settings))
    /// };
    /// let source = RedisSource::connecting(client, "revocations");
    /// ```
    #[must_use]
    pub fn connecting<C, F>(client: C, key: impl Into<String>) -> Self
    where
        C: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = RedisResult<Client>> + Send + 'static,
    {
        let key = key.into();
        Self {
            clients: ClientProvider::new(client),
            nodes: Vec::new(),
            home: None,
            sentinels: None,
            authority: Authority::new(),
            name: format!("redis:{key}"),
            key: key.into(),
            field: Self::DEFAULT_FIELD.into(),
            dead_letters: None,
            reading: None,
        }
    }

    /// Sets which field of an entry holds the message. An entry without it counts as an empty message, for the decoder to judge.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.field = field.into().into();
        self
    }

    /// Stores dead letters in the stream at this key, with the fields `payload` and `json`. By default they are not stored.
    ///
    /// Each is stored once for all replicas that read it within a day: a key beside the stream, which expires, remembers that.
    /// Nothing is ever trimmed there: that is for whoever looks at it.
    #[must_use]
    pub fn with_dead_letters(mut self, key: impl Into<String>) -> Self {
        self.dead_letters = Some(key.into());
        self
    }

    /// Adds hosts and ports of other servers to try if the client's own cannot be reached: other nodes of a Redis Cluster, which say
    /// where the stream is. They are connected to with the client's credentials, TLS and database. By default there are none.
    ///
    /// Each server that does not answer takes 2 seconds of the time for opening.
    #[must_use]
    pub fn with_nodes<H: Into<String>>(mut self, nodes: impl IntoIterator<Item = (H, u16)>) -> Self {
        let nodes = nodes.into_iter().map(|(host, port)| Node {
            host: host.into(),
            port,
        });
        self.nodes.extend(nodes);
        self
    }

    /// Asks Sentinels for the master of this name: at each opening, and once a second for whether it still is. The source's own client
    /// then is for its credentials, TLS and database; its address does not matter.
    ///
    /// The feed is live only while more than half of these Sentinels name the server that is read, so name all of them. Once they name
    /// another one, the feed is opened there.
    #[must_use]
    pub fn with_sentinels(mut self, name: impl Into<String>, sentinels: impl IntoIterator<Item = Client>) -> Self {
        self.sentinels = Some(Sentinels::new(name.into(), sentinels));
        self
    }

    /// Sets how many replicas a master has to have for the feed to be live: replicas that told it within the last 3 seconds how far
    /// they are.
    ///
    /// By default, master and replicas have to be more than half of as many as this source has seen at once. With
    /// [Sentinels](Self::with_sentinels), none is needed.
    ///
    /// Zero is good enough where an issuer says in each second where its log ends (feature `issuer`): its silence shows that a master is an
    /// old one. A replica that took over in a Redis Cluster has none itself until the old master is back.
    ///
    /// # Security
    ///
    /// An old master that comes back after a failover takes itself for the master for up to 11 seconds (measured), and confirms and
    /// answers what will be lost. Only that it has no replicas shows it.
    #[must_use]
    pub const fn with_replicas(mut self, count: usize) -> Self {
        self.authority.expect_replicas(count);
        self
    }

    /// Sets how long ago a replica may have heard of its master for the feed to be live, if it is read from a replica. Defaults to 11
    /// seconds, since masters say something every 10 seconds unless `repl-ping-replica-period` says otherwise.
    ///
    /// # Security
    ///
    /// By so much and a second, what the replica says may be behind while the feed is live. With [`Duration::ZERO`], a feed from a
    /// replica is live only if its master is busy.
    #[must_use]
    pub const fn with_replica_age(mut self, age: Duration) -> Self {
        self.authority.set_replica_age(age);
        self
    }

    /// The field that holds messages: `d`.
    pub const DEFAULT_FIELD: &str = "d";

    fn failed(&self) -> SourceError {
        SourceError::new(format!("cannot open the stream {}", self.key))
    }

    /// Connects to the server that has the stream, and looks at both.
    async fn find(&mut self) -> Result<(Server, StreamLook), SourceError> {
        let client = self.clients.client().await;
        let client = client.map_err(|error| self.failed().because(words(&error)))?;
        let places = match &mut self.sentinels {
            Some(sentinels) => vec![Some(sentinels.master().await?)],
            None => {
                let others = self.nodes.iter().cloned().map(Some);
                let home = self.home.take().map(Some);
                home.into_iter().chain([None]).chain(others).collect()
            }
        };
        let mut problem = None;
        for place in places {
            match self.look_at(&client, place).await {
                Ok(found) => return Ok(found),
                // That of the first: it is the one that was meant.
                Err(error) => problem = problem.or(Some(error)),
            }
        }
        Err(match problem {
            Some(problem) => self.failed().because(words(&problem)),
            None => self.failed(),
        })
    }

    /// Looks at a server; or at the one that it says has the stream.
    async fn look_at(&self, client: &Client, mut place: Option<Node>) -> RedisResult<(Server, StreamLook)> {
        let mut referrals = 0;
        loop {
            let server = Server::connect(client, place).await?;
            match look(server.connection.clone(), Arc::clone(&self.key)).await {
                Ok(look) => return Ok((server, look)),
                Err(error) => match Node::moved(&error, &server.client) {
                    Some(node) if referrals < MOST_REFERRALS => place = Some(node),
                    _ => return Err(error),
                },
            }
            referrals += 1;
        }
    }
}

impl EventSource for RedisSource {
    type Delivery = LogDelivery;

    fn name(&self) -> &str {
        &self.name
    }

    async fn open(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        self.reading = None;
        let (server, look) = self.find().await?;
        let home = server.node.clone();
        let mut authority = self.authority.clone();
        let mut watch = pending().boxed();
        if let (Some(sentinels), Some(master)) = (&self.sentinels, &home) {
            let (confirm, confirmed) = watch::channel(Some(tokio::time::Instant::now()));
            authority = authority.with_sentinels(confirmed);
            watch = sentinels.clone().watch(master.clone(), confirm).boxed();
        }
        let dead_letters = self.dead_letters.clone().map(|key| {
            let dead_letters = RedisDeadLetters::new(self.clients.clone(), home.clone(), key);
            Arc::new(dead_letters) as Arc<dyn LogDeadLetters>
        });
        let names = (Arc::clone(&self.key), Arc::clone(&self.field));
        let opened = StreamReader::open(server, look, names, start, authority, dead_letters).await;
        let (reader, continuity, caught_up) = opened.map_err(|error| self.failed().because(words(&error)))?;
        self.home = home;
        self.reading = Some(ReadAhead::begin([reader], watch, caught_up));
        Ok(continuity)
    }

    async fn next(&mut self) -> Result<Signal<LogDelivery>, SourceError> {
        match &mut self.reading {
            Some(reading) => reading.next().await,
            None => Err(SourceError::new("the stream is not open")),
        }
    }

    async fn close(&mut self) {
        self.reading = None;
    }
}

impl fmt::Debug for RedisSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the client, which knows a password.
        f.debug_struct("RedisSource")
            .field("name", &self.name)
            .field("field", &self.field)
            .finish_non_exhaustive()
    }
}

/// How often a server may say that another one has the stream.
const MOST_REFERRALS: usize = 3;
