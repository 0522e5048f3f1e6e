//! Redis.

use std::fmt;
use std::future::ready;
use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::streams::StreamRangeReply;
use redis::{Client, RedisError, RedisResult, Value, cmd};

use crate::issuer::publisher::{Confirmed, OutgoingMessage, Promise, PromiseWarning, PublishError, Publisher, is_from};
use crate::issuer::publishers::redis_info::RedisInfo;
use crate::issuer::publishers::redis_master::RedisMaster;
use crate::source::redis::{ClientProvider, Node, Sentinels, words};

/// Publishes to a stream of Redis 6.2 or later. Several issuers may share a stream.
///
/// A script compares the newest entry of this issuer with the one that has to be there, and adds messages only if it is: a stream that
/// lost some refuses them. The server gives the entries their numbers, and trims by time. Each publication waits for all replicas that
/// the master has (`WAIT`), for a second; falling short of that holds up nobody, and is a concern.
///
/// The issuer has to be allowed `~STREAM +xrange +xrevrange +xadd +eval +time +info +wait`, and `+config|get` for a look at
/// `appendfsync`.
pub struct RedisPublisher {
    master: RedisMaster,
    key: String,
    name: String,
    retention: Duration,
    connection: Option<MultiplexedConnection>,
    replicas: u32,
    /// The newest entry of the issuer: its number, and the message.
    newest: Option<(String, Bytes)>,
}

impl RedisPublisher {
    /// Returns a publisher to the stream at a key.
    #[must_use]
    pub fn new(client: Client, key: impl Into<String>) -> Self {
        Self::connecting(move || ready(Ok(client.clone())), key)
    }

    /// Returns a publisher that asks for a client each time that it connects: for passwords, tokens and certificates that are replaced
    /// while it runs.
    #[must_use]
    pub fn connecting<C, F>(client: C, key: impl Into<String>) -> Self
    where
        C: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = RedisResult<Client>> + Send + 'static,
    {
        let key = key.into();
        Self {
            master: RedisMaster::new(ClientProvider::new(client)),
            name: format!("redis:{key}"),
            key,
            retention: DEFAULT_RETENTION,
            connection: None,
            replicas: 0,
            newest: None,
        }
    }

    /// Publishes to the master of this name that more than half of these Sentinels name. The client then is for its credentials, TLS and
    /// database.
    #[must_use]
    pub fn with_sentinels(mut self, name: impl Into<String>, sentinels: impl IntoIterator<Item = Client>) -> Self {
        self.master.ask_sentinels(Sentinels::new(name.into(), sentinels));
        self
    }

    /// Adds hosts and ports of other nodes of a Redis Cluster, to ask where the stream is if the client's own server is away. They are
    /// connected to with the client's credentials, TLS and database. By default there are none.
    #[must_use]
    pub fn with_nodes<H: Into<String>>(mut self, nodes: impl IntoIterator<Item = (H, u16)>) -> Self {
        let nodes = nodes.into_iter().map(|(host, port)| Node {
            host: host.into(),
            port,
        });
        self.master.ask_nodes(nodes);
        self
    }

    /// Sets for how long the stream keeps messages. Defaults to a week.
    #[must_use]
    pub const fn with_retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    fn connected(&self) -> Result<MultiplexedConnection, PublishError> {
        let missing = || PublishError::failed(format!("{}: it was not connected", self.name));
        self.connection.clone().ok_or_else(missing)
    }

    fn failed(&self, what: &str, error: &RedisError) -> PublishError {
        PublishError::failed(format!("{}: {what}", self.name)).because(words(error))
    }

    async fn add(&self, source: &str, messages: &[OutgoingMessage]) -> RedisResult<Value> {
        let Some(mut connection) = self.connection.clone() else {
            return Ok(Value::Nil);
        };
        let (id, payload) = match &self.newest {
            Some((id, payload)) => (&**id, &payload[..]),
            None => ("", &[][..]),
        };
        let mut script = cmd("EVAL");
        script.arg(ADD_BEHIND).arg(1).arg(&self.key);
        script.arg(id).arg(payload).arg(source);
        script.arg(u64::try_from(self.retention.as_millis()).unwrap_or(u64::MAX));
        for message in messages {
            script.arg(&message.payload[..]);
        }
        script.query_async(&mut connection).await
    }

    /// Waits until all replicas have what was added, for a while.
    async fn copied(&self) -> Result<Confirmed, PublishError> {
        if self.replicas == 0 {
            return Ok(Confirmed::default());
        }
        let mut connection = self.connected()?;
        let waited: RedisResult<u32> = cmd("WAIT")
            .arg(self.replicas)
            .arg(u64::try_from(COPIED_WITHIN.as_millis()).unwrap_or(u64::MAX))
            .query_async(&mut connection)
            .await;
        let copies = waited.map_err(|error| self.failed("cannot wait for the replicas", &error))?;
        let shortfall = (copies < self.replicas).then(|| PromiseWarning {
            setting: "WAIT",
            words: format!(
                "{copies} of {} replicas have the newest messages after {COPIED_WITHIN:?}",
                self.replicas
            ),
        });
        Ok(Confirmed { shortfall })
    }
}

impl Publisher for RedisPublisher {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_conditional(&self) -> bool {
        true
    }

    async fn ensure(&mut self) -> Result<Promise, PublishError> {
        self.connection = None;
        let connected = self.master.connect(&self.key).await;
        let mut connection = connected.map_err(|error| PublishError::failed(self.name.clone()).because(error))?;
        let info = RedisInfo::ask(&mut connection).await;
        let info = info.map_err(|error| self.failed("cannot look at the server", &error))?;
        if !info.is_master() {
            return Err(PublishError::failed(format!("{}: the server is no master", self.name)));
        }
        self.replicas = info.replicas();
        self.connection = Some(connection);
        Ok(info.promise())
    }

    async fn read_back(&mut self, source: &str, most: usize) -> Result<Vec<Bytes>, PublishError> {
        let mut connection = self.connected()?;
        // Others may publish there too, behind it.
        let looked_at = most.max(FEW);
        let range: RedisResult<StreamRangeReply> = cmd("XREVRANGE")
            .arg(&self.key)
            .arg("+")
            .arg("-")
            .arg("COUNT")
            .arg(looked_at)
            .query_async(&mut connection)
            .await;
        let range = match range {
            Ok(range) => range,
            Err(error) => {
                self.master.follow(&error).await;
                return Err(self.failed("cannot read the stream", &error));
            }
        };
        let mut found = Vec::new();
        for entry in range.ids {
            let payload = entry.get::<Vec<u8>>(FIELD).unwrap_or_default();
            if is_from(source, &payload) {
                found.push((entry.id, Bytes::from(payload)));
            }
        }
        self.newest = found.first().cloned();
        let newest = found.into_iter().take(most).map(|(_, payload)| payload);
        let mut newest: Vec<_> = newest.collect();
        newest.reverse();
        Ok(newest)
    }

    async fn publish(&mut self, source: &str, messages: &[OutgoingMessage]) -> Result<Confirmed, PublishError> {
        self.connected()?;
        match self.add(source, messages).await {
            Ok(Value::BulkString(id)) => {
                let id = String::from_utf8_lossy(&id).into_owned();
                self.newest = messages.last().map(|last| (id, last.payload.clone()));
            }
            Ok(_) => {
                let words = format!("{}: the newest entry of this issuer is another one", self.name);
                return Err(PublishError::refused(words));
            }
            Err(error) => {
                self.master.follow(&error).await;
                return Err(self.failed("cannot publish", &error));
            }
        }
        self.copied().await
    }
}

impl fmt::Debug for RedisPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisPublisher")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Adds messages behind the entry that is expected: it has to be there, as it was, and behind it none of the same issuer.
const ADD_BEHIND: &str = "\
local key, expected, payload, source = KEYS[1], ARGV[1], ARGV[2], ARGV[3] \
local function message(entry) \
  for i = 1, #entry[2], 2 do if entry[2][i] == 'd' then return entry[2][i + 1] end end \
  return '' \
end \
local from = '-' \
if expected ~= '' then \
  local there = redis.call('XRANGE', key, expected, expected) \
  if #there == 0 or message(there[1]) ~= payload then return false end \
  from = '(' .. expected \
end \
for _, entry in ipairs(redis.call('XREVRANGE', key, '+', from, 'COUNT', 1000)) do \
  local ok, event = pcall(cjson.decode, message(entry)) \
  if ok and type(event) == 'table' and event.source == source then return false end \
end \
local oldest = string.format('%.0f', redis.call('TIME')[1] * 1000 - ARGV[4]) \
local id = false \
for i = 5, #ARGV do id = redis.call('XADD', key, 'MINID', '~', oldest, '*', 'd', ARGV[i]) end \
return id";

/// The field that holds a message, as gateways read it.
const FIELD: &str = "d";

const DEFAULT_RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

const COPIED_WITHIN: Duration = Duration::from_secs(1);

/// How many entries are looked at for the newest of the issuer.
const FEW: usize = 100;
