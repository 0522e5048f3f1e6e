//! Who the master is, as Redis Sentinel says.

use std::time::Duration;

use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{Client, RedisError, RedisResult, cmd};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::common::error_text::error_text;
use crate::common::log;
use crate::source::error::SourceError;
use crate::source::redis::connection::{Node, connect, words};

/// Sentinels, and the name by which they know the master.
#[derive(Clone)]
pub(crate) struct Sentinels {
    name: String,
    sentinels: Vec<Sentinel>,
}

#[derive(Clone)]
struct Sentinel {
    client: Client,
    connection: Option<MultiplexedConnection>,
}

impl Sentinels {
    pub(crate) fn new(name: String, clients: impl IntoIterator<Item = Client>) -> Self {
        let sentinels = clients.into_iter().map(|client| Sentinel {
            client,
            connection: None,
        });
        Self {
            name,
            sentinels: sentinels.collect(),
        }
    }

    /// Returns the master that more than half of all Sentinels name.
    ///
    /// # Errors
    ///
    /// Whatever the last of them said that did not answer, if it is too few that name the same.
    pub(crate) async fn master(&mut self) -> Result<Node, SourceError> {
        let all = self.sentinels.len();
        let asked = self.sentinels.iter_mut().map(|sentinel| sentinel.ask(&self.name));
        let (mut named, mut problem) = (Vec::new(), None);
        for answer in join_all(asked).await {
            match answer {
                Ok(node) => named.push(node),
                Err(error) => problem = Some(error),
            }
        }
        match majority(named, all) {
            Some(node) => Ok(node),
            None => {
                let error = SourceError::new(format!(
                    "too few of {all} Sentinels agree on the master of {}",
                    self.name
                ));
                Err(match problem {
                    Some(problem) => error.because(problem),
                    None => error,
                })
            }
        }
    }

    /// Asks every second whether this is the master, and notes when they said so. Ends once they name another one.
    pub(super) async fn watch(mut self, master: Node, confirmed: watch::Sender<Option<Instant>>) -> SourceError {
        loop {
            let asked = Instant::now();
            match self.master().await {
                Ok(named) if named == master => {
                    confirmed.send_replace(Some(asked));
                }
                Ok(_) => return SourceError::new("the Sentinels name another master"),
                Err(error) => {
                    log::debug!(error = %error_text(&error), "the master of a feed is not confirmed");
                }
            }
            sleep_until(asked + PERIOD).await;
        }
    }
}

impl Sentinel {
    async fn ask(&mut self, name: &str) -> Result<Node, SourceError> {
        let late = |_| SourceError::new(format!("a Sentinel does not answer within {PATIENCE:?}"));
        let failed = |error: RedisError| SourceError::new("a Sentinel cannot be asked").because(words(&error));
        let connection = self.connection.take();
        let (connection, answer) = timeout(PATIENCE, address(connection, &self.client, name))
            .await
            .map_err(late)?
            .map_err(failed)?;
        self.connection = Some(connection);
        let (host, port) = answer.ok_or_else(|| SourceError::new("a Sentinel does not know the name"))?;
        Ok(Node { host, port })
    }
}

type Address = Option<(String, u16)>;

async fn address(
    connection: Option<MultiplexedConnection>,
    client: &Client,
    name: &str,
) -> RedisResult<(MultiplexedConnection, Address)> {
    let mut connection = match connection {
        Some(connection) => connection,
        None => connect(client, PATIENCE).await?,
    };
    let address = cmd("SENTINEL")
        .arg("GET-MASTER-ADDR-BY-NAME")
        .arg(name)
        .query_async(&mut connection)
        .await?;
    Ok((connection, address))
}

/// The one that more than half of them name.
fn majority(named: Vec<Node>, all: usize) -> Option<Node> {
    let is_enough = |node: &&Node| named.iter().filter(|other| other == node).count() * 2 > all;
    named.iter().find(is_enough).cloned()
}

const PERIOD: Duration = Duration::from_millis(900);

/// One that is away must not make the others' answers old.
const PATIENCE: Duration = Duration::from_millis(900);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_half_of_all_have_to_name_it() {
        let named = |ports: &[u16]| {
            let named = ports.iter().map(|port| Node {
                host: "host".to_owned(),
                port: *port,
            });
            majority(named.collect(), 3).map(|node| node.port)
        };
        assert_eq!(named(&[1, 1, 1]), Some(1));
        assert_eq!(named(&[2, 1, 1]), Some(1));
        assert_eq!(named(&[1, 1]), Some(1));
        for too_few in [&[1, 2, 3][..], &[1, 2], &[1], &[]] {
            assert_eq!(named(too_few), None);
        }
    }
}
