//! The brokers of a cluster, and what they say of a topic.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::select_ok;
use tokio::time::sleep;

use crate::source::error::SourceError;
use crate::source::kafka::broker::Broker;
use crate::source::kafka::config::KafkaConfig;
use crate::source::kafka::wire::{
    BrokerAddress, ErrorCode, KafkaUuid, MetadataAnswer, MetadataRequest, PartitionMetadata,
};

/// A cluster with a topic. A cheap clone.
#[derive(Clone)]
pub(super) struct Cluster {
    pub(super) config: KafkaConfig,
    pub(super) topic: Arc<str>,
    /// Where brokers are, as they said last.
    known: Arc<Mutex<Vec<BrokerAddress>>>,
}

/// A topic, as a broker sees it.
#[derive(Clone, Debug)]
pub(super) struct TopicView {
    /// Another one for a topic that was made anew; zero where brokers are too old to have any.
    pub(super) id: KafkaUuid,
    pub(super) partitions: Vec<PartitionMetadata>,
}

impl Cluster {
    pub(super) fn new(config: KafkaConfig, topic: impl Into<Arc<str>>) -> Self {
        Self {
            config,
            topic: topic.into(),
            known: Arc::default(),
        }
    }

    /// Looks the topic up at whichever broker answers first. They are asked in turn, a moment apart.
    pub(super) async fn look_up(&self) -> Result<TopicView, SourceError> {
        let failed = || SourceError::new(format!("cannot look up the topic {}", self.topic));
        let addresses = self.addresses().map_err(|cause| failed().because(cause))?;
        let asking = addresses.into_iter().zip(0..).map(|((host, port), turn)| {
            Box::pin(async move {
                sleep(turn * APART).await;
                let mut broker = Broker::connect(&self.config, &host, port).await?;
                broker.call(&MetadataRequest { topic: &self.topic }).await
            })
        });
        let (answer, _others) = select_ok(asking).await.map_err(|cause| failed().because(cause))?;
        self.view(answer).map_err(|cause| failed().because(cause))
    }

    /// Connects to whichever broker answers first.
    #[cfg(feature = "issuer")]
    pub(super) async fn any_broker(&self) -> Result<Broker, SourceError> {
        let asking = self.addresses()?.into_iter().zip(0..).map(|((host, port), turn)| {
            Box::pin(async move {
                sleep(turn * APART).await;
                Broker::connect(&self.config, &host, port).await
            })
        });
        let (broker, _others) = select_ok(asking).await?;
        Ok(broker)
    }

    /// Asks a broker what it knows of the topic.
    pub(super) async fn ask(&self, broker: &mut Broker) -> Result<TopicView, SourceError> {
        let answer = broker.call(&MetadataRequest { topic: &self.topic }).await?;
        self.view(answer)
    }

    /// Connects to a broker by its number.
    pub(super) async fn connect(&self, id: i32) -> Result<Broker, SourceError> {
        let address = self.known().iter().find(|known| known.id == id).cloned();
        let address = address.ok_or_else(|| SourceError::new(format!("nobody says where broker {id} is")))?;
        Broker::connect(&self.config, &address.host, address.port).await
    }

    fn view(&self, answer: MetadataAnswer) -> Result<TopicView, SourceError> {
        if !answer.brokers.is_empty() {
            self.known().clone_from(&answer.brokers);
        }
        let words = match answer.code {
            // An answer, and no outage: whoever waits for the topic has to make it.
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => "there is no such topic, or this client may not see it",
            _ => "the broker says nothing of the topic",
        };
        answer.code.ok().map_err(|code| SourceError::new(words).because(code))?;
        if answer.partitions.is_empty() {
            return Err(SourceError::new("the topic has no partitions"));
        }
        Ok(TopicView {
            id: answer.topic_id,
            partitions: answer.partitions,
        })
    }

    /// Where to ask first: some of the brokers that are known, and those that the host named.
    fn addresses(&self) -> Result<Vec<(String, u16)>, SourceError> {
        let known = self
            .known()
            .iter()
            .take(SOME)
            .map(|at| (at.host.clone(), at.port))
            .collect::<Vec<_>>();
        let mut all = known;
        for address in self.config.bootstrap.iter() {
            all.push(parsed(address)?);
        }
        let mut seen = BTreeSet::new();
        all.retain(|address| seen.insert(address.clone()));
        match all.is_empty() {
            true => Err(SourceError::new("no address of any broker is given")),
            false => Ok(all),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Vec<BrokerAddress>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TopicView {
    pub(super) fn numbers(&self) -> BTreeSet<u32> {
        self.partitions.iter().map(|partition| partition.number).collect()
    }

    pub(super) fn partition(&self, number: u32) -> Option<&PartitionMetadata> {
        self.partitions.iter().find(|partition| partition.number == number)
    }
}

fn parsed(address: &str) -> Result<(String, u16), SourceError> {
    let parts = address
        .rsplit_once(':')
        .map(|(host, port)| (host.trim_matches(['[', ']']), port.parse()));
    match parts {
        Some((host, Ok(port))) if !host.is_empty() => Ok((host.to_owned(), port)),
        _ => Err(SourceError::new(format!(
            "the bootstrap address {address:?} is not HOST:PORT"
        ))),
    }
}

/// By how much brokers are asked apart: one that answers does so before that.
const APART: Duration = Duration::from_millis(200);

/// How many of the brokers that are known are asked, beside those that the host named.
const SOME: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        assert_eq!(parsed("kafka-1:9092").unwrap(), ("kafka-1".to_owned(), 9092));
        assert_eq!(parsed("[::1]:9092").unwrap(), ("::1".to_owned(), 9092));
        for none in ["kafka", "kafka:", ":9092", "kafka:100000", ""] {
            assert!(parsed(none).is_err(), "{none}");
        }
    }
}
