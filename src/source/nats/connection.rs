//! The connection that a feed was opened over.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, Statistics};
use tokio::time::{sleep, timeout};

use crate::source::error::SourceError;

/// One connection of a client. The client replaces it by itself, but not what the server forgot of the old one.
pub(super) struct NatsConnection {
    client: Client,
    statistics: Arc<Statistics>,
    /// How often the client was connected, with this one.
    number: u64,
}

impl NatsConnection {
    /// The connection that there is, or will be soon.
    pub(super) async fn up(client: Client) -> Result<Self, SourceError> {
        let connected = async {
            while client.connection_state() != State::Connected {
                sleep(POLL).await;
            }
        };
        timeout(PATIENCE, connected)
            .await
            .map_err(|_late| SourceError::new("not connected to a NATS server"))?;
        let statistics = client.statistics();
        Ok(Self {
            number: statistics.connects.load(Ordering::Relaxed),
            statistics,
            client,
        })
    }

    /// Waits until it is no more.
    pub(super) async fn broken(&self) -> SourceError {
        loop {
            if self.client.connection_state() != State::Connected {
                return SourceError::new("disconnected from the NATS server");
            }
            if self.statistics.connects.load(Ordering::Relaxed) != self.number {
                return SourceError::new("was disconnected from the NATS server");
            }
            sleep(LOOK).await;
        }
    }
}

/// The client goes on connecting by itself. To come back later, after a pause of the loop's, would only add to its own pauses.
const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// The client tells nobody but a callback that the host may have set: one has to look.
const LOOK: Duration = Duration::from_millis(200);
