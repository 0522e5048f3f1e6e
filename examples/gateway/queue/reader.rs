//! The end of the queue that a gateway reads.

use std::future::Future;
use std::time::Duration;

use tower_revocation::format::{Canaries, Heartbeats};
use tower_revocation::source::{self, EventSource};
use tower_revocation::{Decode, EventSink, FeedState};

use crate::Failure;
use crate::queue::address::Address;
use crate::queue::publisher::Publisher;

/// What a gateway reads, and how.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(crate) address: Address,
    /// Where messages are put that cannot be read.
    pub(crate) dead_letters: Option<String>,
    /// The name of this gateway, if its host's will not do.
    pub(crate) replica: Option<String>,
    /// How old the issuer's newest heartbeat may become, if it sends some.
    pub(crate) heartbeat: Option<Duration>,
}

impl Reader {
    /// Feeds the sink with what `events` reads, until `told_to_end` is over.
    pub(crate) async fn run(
        self,
        publisher: Publisher,
        sink: EventSink,
        events: impl Decode + Send + Sync,
        told_to_end: impl Future<Output = ()>,
    ) -> Result<(), Failure> {
        #[cfg_attr(
            not(feature = "brokers"),
            expect(unused_variables, reason = "the queue in this process keeps its dead letters")
        )]
        let dead_letters = self.dead_letters.as_deref();
        sink.set_feed(FeedState::Connecting);
        match &self.address {
            Address::InProcess => self.drive(publisher.memory().source(), sink, events, told_to_end).await,
            #[cfg(feature = "amqp")]
            Address::AmqpExchange { server, exchange } => {
                let replica = self.replica();
                let source = super::amqp::queue(server, exchange, &replica, dead_letters);
                self.drive(source, sink, events, told_to_end).await;
            }
            #[cfg(feature = "amqp")]
            Address::AmqpStream { server, stream } => {
                let source = super::amqp::stream(server, stream, dead_letters);
                self.drive(source, sink, events, told_to_end).await;
            }
            #[cfg(feature = "kafka")]
            Address::Kafka { server, topic } => {
                let source = super::kafka::source(server, topic, dead_letters);
                self.drive(source, sink, events, told_to_end).await;
            }
            #[cfg(feature = "nats")]
            Address::Nats {
                server,
                stream,
                subject,
            } => {
                let source = super::nats::source(server, stream, subject, dead_letters).await?;
                self.drive(source, sink, events, told_to_end).await;
            }
            #[cfg(feature = "postgres")]
            Address::Postgres { url } => {
                let source = super::postgres::source(url, dead_letters)?;
                self.drive(source, sink, events, told_to_end).await;
            }
            #[cfg(feature = "redis")]
            Address::Redis { server, stream } => {
                let source = super::redis::source(server, stream, dead_letters)?;
                self.drive(source, sink, events, told_to_end).await;
            }
            #[allow(unreachable_patterns, reason = "with all features there is no other")]
            other => return Err(other.missing().into()),
        }
        Ok(())
    }

    async fn drive(
        &self,
        source: impl EventSource,
        sink: EventSink,
        events: impl Decode + Send + Sync,
        told_to_end: impl Future<Output = ()>,
    ) {
        let decode = Canaries::beside(Heartbeats::beside(events));
        let mut feed = source::drive(source, decode, sink).with_replica(self.replica());
        if let Some(within) = self.heartbeat {
            feed = feed.with_heartbeat(within);
        }
        feed.run_until(told_to_end).await;
    }

    fn replica(&self) -> String {
        match &self.replica {
            Some(replica) => replica.clone(),
            None => std::env::var("HOSTNAME").unwrap_or_else(|_| "gateway".to_owned()),
        }
    }
}
