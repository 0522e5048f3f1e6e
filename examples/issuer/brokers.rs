//! The brokers that this program was built with.

use tower_revocation::issuer::{Issuer, MemoryPublisher};
use tower_revocation::source::Memory;

use crate::Failure;
use crate::address::Address;

/// Has the issuer publish to a queue. The broker need not be there yet.
pub(crate) async fn publish(issuer: Issuer, address: &Address) -> Result<Issuer, Failure> {
    Ok(match address {
        // Nobody reads it: for a look at the rest.
        Address::InProcess => issuer.publishing_to(MemoryPublisher::new(&Memory::new("nobody"))),
        #[cfg(feature = "amqp")]
        Address::AmqpStream { server, stream } => {
            use lapin::ConnectionProperties;
            let url = format!("{server}/%2f?heartbeat=2");
            let connect = move || {
                let url = url.clone();
                async move { lapin::Connection::connect(&url, ConnectionProperties::default()).await }
            };
            issuer.publishing_to(tower_revocation::issuer::AmqpPublisher::new(connect, stream))
        }
        #[cfg(feature = "kafka")]
        Address::Kafka { server, topic } => {
            use tower_revocation::source::kafka::KafkaConfig;
            let cluster = KafkaConfig::new([server]);
            issuer.publishing_to(tower_revocation::issuer::KafkaPublisher::new(cluster, topic))
        }
        #[cfg(feature = "nats")]
        Address::Nats {
            server,
            stream,
            subject,
        } => {
            use std::time::Duration;
            let options = async_nats::ConnectOptions::new()
                .retry_on_initial_connect()
                .ping_interval(Duration::from_secs(2))
                .reconnect_delay_callback(|_attempts| Duration::from_millis(100));
            let client = options.connect(server).await?;
            issuer.publishing_to(tower_revocation::issuer::NatsPublisher::new(client, stream, subject))
        }
        #[cfg(feature = "redis")]
        Address::Redis { server, stream } => {
            let client = redis::Client::open(server.as_str())?;
            issuer.publishing_to(tower_revocation::issuer::RedisPublisher::new(client, stream))
        }
        Address::AmqpExchange { .. } => {
            return Err("an exchange keeps nothing that could be read back: publish to a stream".into());
        }
        #[allow(unreachable_patterns, reason = "with all features there is no other")]
        other => return Err(other.missing().into()),
    })
}
