//! How a server is reached.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, RedisError, RedisResult, cmd};

/// Gives the client that the host wants, each time that it is asked. A cheap clone.
#[derive(Clone)]
pub(crate) struct ClientProvider(Arc<GetClient>);

type GetClient = dyn Fn() -> BoxFuture<'static, RedisResult<Client>> + Send + Sync;

/// The host and port of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// A server that was connected to.
pub(crate) struct Server {
    pub(crate) client: Client,
    pub(crate) connection: MultiplexedConnection,
    /// Where it is, if it is not where the host's client is for.
    pub(crate) node: Option<Node>,
    /// Tells whether it is there while an answer takes long; made when it is first needed.
    probe: Option<MultiplexedConnection>,
}

impl ClientProvider {
    pub(crate) fn new<C, F>(client: C) -> Self
    where
        C: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = RedisResult<Client>> + Send + 'static,
    {
        Self(Arc::new(move || client().boxed()))
    }

    pub(crate) async fn client(&self) -> RedisResult<Client> {
        (self.0)().await
    }
}

impl Node {
    /// Returns where a key is, if that is what the error says: `MOVED 3999 10.0.0.2:6379`. Without a host, it is that of the server
    /// that said it.
    pub(crate) fn moved(error: &RedisError, asked: &Client) -> Option<Self> {
        if error.code() != Some("MOVED") {
            return None;
        }
        let (host, port) = error.redirect_node()?.0.rsplit_once(':')?;
        let host = match (host, asked.get_connection_info().addr()) {
            ("" | "?", ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. }) => host,
            ("" | "?", _) => return None,
            (host, _) => host,
        };
        Some(Self {
            host: host.to_owned(),
            port: port.parse().ok()?,
        })
    }

    /// Returns a client for this server, with all that another one has: credentials, TLS, database.
    pub(crate) fn client_like(&self, client: &Client) -> RedisResult<Client> {
        let info = client.get_connection_info().clone();
        let (host, port) = (self.host.clone(), self.port);
        let addr = match info.addr().clone() {
            ConnectionAddr::TcpTls {
                insecure, tls_params, ..
            } => ConnectionAddr::TcpTls {
                host,
                port,
                insecure,
                tls_params,
            },
            _ => ConnectionAddr::Tcp(host, port),
        };
        Client::open(info.set_addr(addr))
    }
}

impl Server {
    /// Connects to a server: to another one than the client is for, if one is named.
    pub(crate) async fn connect(client: &Client, node: Option<Node>) -> RedisResult<Self> {
        let client = match &node {
            Some(node) => node.client_like(client)?,
            None => client.clone(),
        };
        Ok(Self {
            connection: connect(&client, ANSWER_WITHIN).await?,
            client,
            node,
            probe: None,
        })
    }

    /// Asks over another connection whether the server is there: over this one, an answer is on its way that may be large.
    pub(crate) async fn is_there(&mut self) -> RedisResult<()> {
        let mut probe = match self.probe.take() {
            Some(probe) => probe,
            None => connect(&self.client, PROBE_WITHIN).await?,
        };
        cmd("PING").exec_async(&mut probe).await?;
        self.probe = Some(probe);
        Ok(())
    }
}

/// Connects to a server that has to answer each command within this time.
pub(crate) async fn connect(client: &Client, answer_within: Duration) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(answer_within.min(CONNECTION_TIMEOUT)))
        .set_response_timeout(Some(answer_within));
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// What the client says. Its words have those of its own cause in them, which would be said twice.
pub(crate) fn words(error: &RedisError) -> String {
    error.to_string()
}

const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);

/// How long an answer may be on its way, with a server that is there: so long for the largest on a slow link.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Together with the patience of whoever asks, less than the silence that the loop allows.
const PROBE_WITHIN: Duration = Duration::from_millis(1_200);

#[cfg(test)]
mod tests {
    use redis::{ErrorKind, IntoConnectionInfo, make_extension_error};

    use super::*;

    fn moved(detail: &str) -> Option<(String, u16)> {
        let error =
            redis::parse_redis_value(format!("-MOVED {detail}\r\n").as_bytes()).and_then(|value| value.extract_error());
        let asked = Client::open("redis://asked:1/").unwrap();
        Node::moved(&error.unwrap_err(), &asked).map(|node| (node.host, node.port))
    }

    #[test]
    fn says_where_a_key_is() {
        assert_eq!(moved("3999 10.0.0.2:6381"), Some(("10.0.0.2".to_owned(), 6381)));
        assert_eq!(moved("3999 ::1:6381"), Some(("::1".to_owned(), 6381)));
        for same in ["3999 :6381", "3999 ?:6381"] {
            assert_eq!(moved(same), Some(("asked".to_owned(), 6381)));
        }
        for nowhere in ["3999", "3999 10.0.0.2", "3999 10.0.0.2:many", ""] {
            assert_eq!(moved(nowhere), None);
        }
        let asked = Client::open("redis://asked:1/").unwrap();
        let other = make_extension_error("ASKED".to_owned(), Some("3999 10.0.0.2:6381".to_owned()));
        assert_eq!(Node::moved(&other, &asked), None);
        let other = RedisError::from((ErrorKind::Io, "MOVED 3999 10.0.0.2:6381"));
        assert_eq!(Node::moved(&other, &asked), None);
    }

    #[test]
    fn another_server_is_reached_with_the_same_credentials() {
        let info = "redis://user:secret@asked:1/7".into_connection_info().unwrap();
        let node = Node {
            host: "there".to_owned(),
            port: 2,
        };
        let client = node.client_like(&Client::open(info).unwrap()).unwrap();
        let info = client.get_connection_info();
        assert_eq!(*info.addr(), ConnectionAddr::Tcp("there".to_owned(), 2));
        let settings = info.redis_settings();
        let known = (settings.username(), settings.password(), settings.db());
        assert_eq!(known, (Some("user"), Some("secret"), 7));
    }
}
