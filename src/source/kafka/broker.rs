//! A broker that is talked to.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::common::host_code::guarded;
use crate::source::error::SourceError;
use crate::source::kafka::config::{AskTls, KafkaConfig};
use crate::source::kafka::sasl::Sasl;
use crate::source::kafka::wire::{BrokerConnection, ByteStream, KafkaRequest, PATIENCE, Received, Sent};

/// A connection to a broker that knows who the client is, and goes on knowing.
pub(super) struct Broker {
    connection: BrokerConnection,
    sasl: Option<Sasl>,
    /// When the proof has to be given again.
    renew_at: Option<Instant>,
}

impl Broker {
    /// Connects. Each step of it may take [a while](PATIENCE).
    pub(super) async fn connect(config: &KafkaConfig, host: &str, port: u16) -> Result<Self, SourceError> {
        let failed = |cause| SourceError::new(format!("cannot connect to {host}:{port}")).because(cause);
        let stream = stream(config, host, port).await.map_err(failed)?;
        let connection = BrokerConnection::begin(stream, &config.client_id)
            .await
            .map_err(failed)?;
        let mut broker = Self {
            connection,
            sasl: config.sasl.clone(),
            renew_at: None,
        };
        broker.authenticate().await.map_err(failed)?;
        Ok(broker)
    }

    /// Asks, and waits for the answer for [a while](PATIENCE). A broker that wants to be left alone for now is asked later.
    ///
    /// # Cancel safety
    ///
    /// None: afterwards the connection is good for nothing.
    pub(super) async fn call<R: KafkaRequest>(&mut self, request: &R) -> Result<R::Answer, SourceError> {
        self.renew().await?;
        self.connection.call(request).await
    }

    /// Sends a request. The answer has to be [received](Self::receive) before the next one is sent.
    pub(super) async fn send<R: KafkaRequest>(&mut self, request: &R) -> Result<Sent, SourceError> {
        self.renew().await?;
        let sending = timeout(PATIENCE, self.connection.send(request)).await;
        sending.map_err(|_late| SourceError::new(format!("the broker takes nothing within {PATIENCE:?}")))?
    }

    /// Waits for an answer until then at most.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing of the answer.
    pub(super) async fn receive<R: KafkaRequest>(
        &mut self,
        sent: Sent,
        until: Instant,
    ) -> Result<Received<R::Answer>, SourceError> {
        self.connection.receive::<R>(sent, until).await
    }

    /// Notes that the broker reads nothing more for so many milliseconds.
    pub(super) fn throttle(&mut self, millis: i32) {
        self.connection.throttle(millis);
    }

    /// Waits until the broker reads again what it is sent.
    pub(super) async fn is_unthrottled(&self) {
        self.connection.is_unthrottled().await;
    }

    async fn renew(&mut self) -> Result<(), SourceError> {
        match self.renew_at.is_some_and(|at| at <= Instant::now()) {
            true => self.authenticate().await,
            false => Ok(()),
        }
    }

    async fn authenticate(&mut self) -> Result<(), SourceError> {
        if let Some(sasl) = &self.sasl {
            let lifetime = sasl.authenticate(&mut self.connection).await?;
            self.renew_at = lifetime.map(|lifetime| Instant::now() + lifetime.mul_f64(RENEWED_AFTER));
        }
        Ok(())
    }
}

async fn stream(config: &KafkaConfig, host: &str, port: u16) -> Result<Box<dyn ByteStream>, SourceError> {
    let late = |_| SourceError::new(format!("no connection within {PATIENCE:?}"));
    let connected = timeout(PATIENCE, TcpStream::connect((host, port)))
        .await
        .map_err(late)?;
    let stream = connected.map_err(|cause| SourceError::new("no connection").because(cause))?;
    let _ = stream.set_nodelay(true);
    match &config.tls {
        None => Ok(Box::new(stream)),
        Some(ask) => encrypted(stream, &**ask, host).await,
    }
}

async fn encrypted(stream: TcpStream, ask: &AskTls, host: &str) -> Result<Box<dyn ByteStream>, SourceError> {
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|cause| SourceError::new("a certificate cannot be for such a name").because(cause))?;
    let tls = guarded(ask).map_err(|message| SourceError::new(format!("who was asked for TLS panicked: {message}")))?;
    let agreed = timeout(PATIENCE, TlsConnector::from(tls).connect(name, stream)).await;
    let agreed = agreed.map_err(|_late| SourceError::new(format!("no TLS within {PATIENCE:?}")))?;
    let stream = agreed.map_err(|cause| SourceError::new("no TLS").because(cause))?;
    Ok(Box::new(stream))
}

/// After which part of a session's time the proof is given again.
const RENEWED_AFTER: f64 = 0.8;

/// How long it may take to connect, all steps together, unless it takes long to get the credentials.
pub(super) const CONNECT_PATIENCE: Duration = Duration::from_secs(4);
