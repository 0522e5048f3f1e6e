//! Which server of Redis takes messages.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Client, RedisError, RedisResult, cmd};

use crate::source::SourceError;
use crate::source::redis::{ClientProvider, Node, Sentinels, connect, words};

/// Finds the server that has the stream: by Sentinels, or among the nodes that the host named.
pub(super) struct RedisMaster {
    clients: ClientProvider,
    sentinels: Option<Sentinels>,
    /// Where to ask if the client's own server is away.
    nodes: Vec<Node>,
    /// Where the stream was last, if that is not where the client is for.
    home: Option<Node>,
}

impl RedisMaster {
    pub(super) const fn new(clients: ClientProvider) -> Self {
        Self {
            clients,
            sentinels: None,
            nodes: Vec::new(),
            home: None,
        }
    }

    pub(super) fn ask_sentinels(&mut self, sentinels: Sentinels) {
        self.sentinels = Some(sentinels);
    }

    pub(super) fn ask_nodes(&mut self, nodes: impl IntoIterator<Item = Node>) {
        self.nodes.extend(nodes);
    }

    /// Connects to the server that has the stream.
    pub(super) async fn connect(&mut self, key: &str) -> Result<MultiplexedConnection, SourceError> {
        let failed = || SourceError::new("cannot connect");
        let client = self.clients.client().await;
        let client = client.map_err(|error| failed().because(words(&error)))?;
        let places = match &mut self.sentinels {
            Some(sentinels) => vec![Some(sentinels.master().await?)],
            None => {
                // One that is gone is not asked first again.
                let home = self.home.take().map(Some);
                let others = self.nodes.iter().cloned().map(Some);
                home.into_iter().chain([None]).chain(others).collect()
            }
        };
        let mut problem = None;
        for place in places {
            match look_at(&client, place, key).await {
                Ok((connection, home)) => {
                    self.home = home;
                    return Ok(connection);
                }
                // That of the first: it is the one that was meant.
                Err(error) => problem = problem.or(Some(error)),
            }
        }
        Err(match problem {
            Some(problem) => failed().because(words(&problem)),
            None => failed(),
        })
    }

    /// Notes another server, if that is where the stream is.
    pub(super) async fn follow(&mut self, error: &RedisError) {
        if let Ok(client) = self.clients.client().await
            && let Some(node) = Node::moved(error, &client)
        {
            self.home = Some(node);
        }
    }
}

/// Looks at a server; or at the one that it says has the stream.
async fn look_at(
    client: &Client,
    mut place: Option<Node>,
    key: &str,
) -> RedisResult<(MultiplexedConnection, Option<Node>)> {
    let mut referrals = 0;
    loop {
        let client = match &place {
            Some(node) => node.client_like(client)?,
            None => client.clone(),
        };
        let mut connection = connect(&client, ANSWER_WITHIN).await?;
        let mut look = cmd("XREVRANGE");
        look.arg(key).arg("+").arg("-").arg("COUNT").arg(1);
        match look.exec_async(&mut connection).await {
            Ok(()) => return Ok((connection, place)),
            Err(error) => match Node::moved(&error, &client) {
                Some(node) if referrals < MOST_REFERRALS => place = Some(node),
                _ => return Err(error),
            },
        }
        referrals += 1;
    }
}

/// Less than the relay allows, so that the error says what it was.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const MOST_REFERRALS: u32 = 3;
