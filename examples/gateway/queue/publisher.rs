//! The end of the queue that the registry publishes to.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tower_revocation::Timestamp;
use tower_revocation::source::Memory;

use crate::Failure;
use crate::queue::address::Address;

/// Publishes the registry's messages. A cheap clone.
#[derive(Clone)]
pub(crate) struct Publisher {
    shared: Arc<Shared>,
}

struct Shared {
    address: Address,
    /// What is to be declared for dead letters, where they have to be.
    #[cfg_attr(
        not(any(feature = "amqp", feature = "kafka", feature = "nats")),
        expect(dead_code, reason = "no broker wants to know")
    )]
    dead_letters: Option<String>,
    /// The queue in this process.
    memory: Memory,
    /// The broker's client, as long as it works.
    connection: Mutex<Option<Connection>>,
}

/// A broker's client, with queue and dead-letter place declared.
enum Connection {
    Memory(Memory),
    #[cfg(feature = "amqp")]
    Amqp(super::amqp::Connection),
    #[cfg(feature = "kafka")]
    Kafka(super::kafka::Connection),
    #[cfg(feature = "nats")]
    Nats(super::nats::Connection),
    #[cfg(feature = "postgres")]
    Postgres(super::postgres::Connection),
    #[cfg(feature = "redis")]
    Redis(super::redis::Connection),
}

impl Publisher {
    /// A publisher to this address. It connects when it has something to say.
    pub(crate) fn new(address: Address, dead_letters: Option<String>) -> Self {
        Self {
            shared: Arc::new(Shared {
                address,
                dead_letters,
                memory: Memory::new("registry"),
                connection: Mutex::default(),
            }),
        }
    }

    /// The queue in this process.
    pub(crate) fn memory(&self) -> &Memory {
        &self.shared.memory
    }

    /// Declares the queue, so that it is there before the first message.
    pub(crate) async fn declare(&self) -> Result<(), Failure> {
        let mut connection = self.shared.connection.lock().await;
        *connection = Some(self.shared.connect().await?);
        Ok(())
    }

    /// Publishes a message, and returns when the broker has confirmed it. Tries again while the broker is away, for a while:
    /// so it may be published twice.
    pub(crate) async fn publish(&self, message: &[u8]) -> Result<(), Failure> {
        let started = Instant::now();
        loop {
            let attempt = timeout(ATTEMPT, self.shared.try_publish(message)).await;
            match attempt.unwrap_or_else(|late| Err(late.into())) {
                Ok(()) => return Ok(()),
                Err(failure) if started.elapsed() > PATIENCE => return Err(failure),
                Err(failure) => {
                    tracing::warn!(error = %failure, "message is not confirmed yet");
                    self.shared.connection.lock().await.take();
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

impl Publisher {
    /// Publishes, so often, what `message` says at the time. What cannot be published by the next time is given up.
    pub(crate) async fn repeat(&self, every: Duration, message: impl Fn(Timestamp) -> Vec<u8>) -> Infallible {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let published = timeout(every, self.publish(&message(Timestamp::now()))).await;
            if let Err(error) = published.unwrap_or_else(|late| Err(late.into())) {
                tracing::warn!(%error, "heartbeat or canary was not published");
            }
        }
    }
}

impl Shared {
    async fn try_publish(&self, message: &[u8]) -> Result<(), Failure> {
        let mut connection = self.connection.lock().await;
        let connection = match &mut *connection {
            Some(connection) => connection,
            none => none.insert(self.connect().await?),
        };
        match connection {
            Connection::Memory(memory) => {
                memory.publish(message.to_vec());
                Ok(())
            }
            #[cfg(feature = "amqp")]
            Connection::Amqp(amqp) => amqp.publish(message).await,
            #[cfg(feature = "kafka")]
            Connection::Kafka(kafka) => kafka.publish(message).await,
            #[cfg(feature = "nats")]
            Connection::Nats(nats) => nats.publish(message).await,
            #[cfg(feature = "postgres")]
            Connection::Postgres(postgres) => postgres.publish(message).await,
            #[cfg(feature = "redis")]
            Connection::Redis(redis) => redis.publish(message).await,
        }
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        match &self.address {
            Address::InProcess => Ok(Connection::Memory(self.memory.clone())),
            #[cfg(feature = "amqp")]
            Address::AmqpExchange { server, exchange } => {
                let dead_letters = self.dead_letters.as_deref();
                let connection = super::amqp::Connection::to_exchange(server, exchange, dead_letters).await?;
                Ok(Connection::Amqp(connection))
            }
            #[cfg(feature = "amqp")]
            Address::AmqpStream { server, stream } => {
                let dead_letters = self.dead_letters.as_deref();
                let connection = super::amqp::Connection::to_stream(server, stream, dead_letters).await?;
                Ok(Connection::Amqp(connection))
            }
            #[cfg(feature = "kafka")]
            Address::Kafka { server, topic } => {
                let connection = super::kafka::Connection::open(server, topic, self.dead_letters.as_deref()).await?;
                Ok(Connection::Kafka(connection))
            }
            #[cfg(feature = "nats")]
            Address::Nats {
                server,
                stream,
                subject,
            } => {
                let dead_letters = self.dead_letters.as_deref();
                let connection = super::nats::Connection::open(server, stream, subject, dead_letters).await?;
                Ok(Connection::Nats(connection))
            }
            #[cfg(feature = "postgres")]
            Address::Postgres { url } => Ok(Connection::Postgres(super::postgres::Connection::open(url).await?)),
            #[cfg(feature = "redis")]
            Address::Redis { server, stream } => {
                Ok(Connection::Redis(super::redis::Connection::open(server, stream).await?))
            }
            #[allow(unreachable_patterns, reason = "with all features there is no other")]
            other => Err(other.missing().into()),
        }
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").finish_non_exhaustive()
    }
}

/// For one attempt: a frozen broker confirms nothing.
const ATTEMPT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);
/// Upstream tries once.
const PATIENCE: Duration = Duration::from_secs(30);
