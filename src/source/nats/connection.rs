//! The connection that a feed was opened over.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, Statistics};
use futures_util::FutureExt;
use tokio::time::{Instant, sleep, timeout};

use crate::source::error::SourceError;

/// One connection of a client. The client replaces it by itself, but not what the server forgot of the old one.
pub(super) struct NatsConnection {
    client: Client,
    statistics: Arc<Statistics>,
    /// How often the client was connected, with this one.
    number: u64,
    carried: Carried,
}

/// How much came over the connection when it was last looked at, and when it was last found busy.
struct Carried {
    bytes: u64,
    at: Instant,
    busy: Option<Instant>,
}

impl NatsConnection {
    /// Returns whether a client has ended for good: it was closed, its attempts were limited, or it panicked.
    pub(super) fn is_over(client: &Client) -> bool {
        // One that lives may take a while to do it.
        matches!(client.flush().now_or_never(), Some(Err(_)))
    }

    /// The connection that there is, or will be soon.
    pub(super) async fn up(client: Client) -> Result<Self, SourceError> {
        if Self::is_over(&client) {
            return Err(SourceError::new(OVER));
        }
        let connected = async {
            while client.connection_state() != State::Connected {
                sleep(POLL).await;
            }
        };
        timeout(PATIENCE, connected)
            .await
            .map_err(|_late| match Self::is_over(&client) {
                true => SourceError::new(OVER),
                false => SourceError::new("not connected to a NATS server: the client's events say why"),
            })?;
        let statistics = client.statistics();
        Ok(Self {
            number: statistics.connects.load(Ordering::Relaxed),
            carried: Carried {
                bytes: statistics.in_bytes.load(Ordering::Relaxed),
                at: Instant::now(),
                busy: None,
            },
            statistics,
            client,
        })
    }

    /// Waits until it is no more.
    pub(super) async fn broken(&self) -> SourceError {
        loop {
            if let Err(error) = self.check() {
                return error;
            }
            sleep(LOOK).await;
        }
    }

    /// Waits until it is no more, or until so much came that what is awaited may be behind it. Heartbeats are less.
    pub(super) async fn broken_or_busy(&mut self) -> Result<(), SourceError> {
        loop {
            self.check()?;
            let (bytes, at) = (self.statistics.in_bytes.load(Ordering::Relaxed), Instant::now());
            let took = at - self.carried.at;
            if took >= SAMPLE {
                let came = bytes.saturating_sub(self.carried.bytes) as f64;
                let is_busy = came >= BUSY * took.as_secs_f64();
                let busy = if is_busy { Some(at) } else { self.carried.busy };
                self.carried = Carried { bytes, at, busy };
                if is_busy {
                    return Ok(());
                }
            }
            sleep(LOOK).await;
        }
    }

    fn check(&self) -> Result<(), SourceError> {
        if self.client.connection_state() != State::Connected {
            return Err(SourceError::new("disconnected from the NATS server"));
        }
        match self.is_another() {
            true => Err(SourceError::new("was disconnected from the NATS server")),
            false => Ok(()),
        }
    }

    /// Returns whether it was busy just now.
    pub(super) fn is_busy(&self) -> bool {
        self.carried.busy.is_some_and(|busy| busy.elapsed() < 2 * SAMPLE)
    }

    /// Waits until a client gets hardly anything for a while: then no large answer is under way.
    pub(super) async fn stalled(client: &Client) {
        let statistics = client.statistics();
        let bytes = || statistics.in_bytes.load(Ordering::Relaxed);
        loop {
            let before = bytes();
            sleep(STALL).await;
            if (bytes().saturating_sub(before) as f64) < BUSY * STALL.as_secs_f64() {
                return;
            }
        }
    }

    /// Returns whether the client knows of other servers.
    pub(super) async fn has_others(&self) -> bool {
        let servers = timeout(POOL_PATIENCE, self.client.server_pool()).await;
        servers.is_ok_and(|servers| servers.is_ok_and(|servers| servers.len() > 1))
    }

    /// Has the client connect anew, to another of its servers. Which one is by chance.
    pub(super) async fn leave(&self) {
        let connects = || self.statistics.connects.load(Ordering::Relaxed);
        let left = async {
            let server = self.client.server_info().server_id;
            for _ in 0..LEAVES {
                let number = connects();
                if self.client.force_reconnect().await.is_err() {
                    return;
                }
                while connects() == number {
                    sleep(POLL).await;
                }
                // It knows its server when it has done something there.
                let flushed = self.client.flush().await;
                if flushed.is_err() || self.client.server_info().server_id != server {
                    return;
                }
            }
        };
        let _late = timeout(PATIENCE, left).await;
    }

    fn is_another(&self) -> bool {
        self.statistics.connects.load(Ordering::Relaxed) != self.number
    }
}

/// TLS without a default of rustls for its cryptography panics, in a task of the client's.
const OVER: &str =
    "the NATS client has ended: it was closed, or it panicked (for TLS, install a `CryptoProvider` of rustls)";

/// The client goes on connecting by itself. To come back later, after a pause of the loop's, would only add to its own pauses.
const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// Of three servers, it is the same one again so many times in a row once in 200.
const LEAVES: u32 = 5;

/// The client answers at once while it is connected.
const POOL_PATIENCE: Duration = Duration::from_secs(1);

/// The client tells nobody but a callback that the host may have set: one has to look.
const LOOK: Duration = Duration::from_millis(200);

/// How often it is looked at how much came, while nothing does that can be read.
const SAMPLE: Duration = Duration::from_millis(500);

/// How long an answer may take of which nothing has come.
const STALL: Duration = Duration::from_secs(2);

/// So many bytes a second are more than signs of life.
const BUSY: f64 = 8_192.0;
