//! What a real Kafka does to a reader.

mod leaders;
mod limits;
mod reading;
mod secure;
mod three;
mod tool;

use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};
use tower_revocation::source::kafka::{KafkaConfig, KafkaSource};
use tower_revocation::source::{Continuity, Delivery, EventSource, Signal, SourceError, Start};

pub(crate) use three::Three;

use crate::replica::Replica;
use crate::server::{Kafka, KafkaServer, free_port};
use tool::KafkaTool;

/// A server, and what has it do what its clients for Rust cannot.
struct Node {
    server: KafkaServer,
    tool: KafkaTool,
}

impl Node {
    async fn start(settings: &[&str]) -> Self {
        Self::start_on(free_port(), settings).await
    }

    async fn start_on(port: u16, settings: &[&str]) -> Self {
        let server = KafkaServer::start_on(port, Kafka::alone(settings)).await;
        let tool = KafkaTool::start(&server.url());
        Self { server, tool }
    }

    /// One that several tests share, each with a topic of its own.
    async fn shared() -> &'static Self {
        static SHARED: OnceCell<Node> = OnceCell::const_new();
        SHARED.get_or_init(|| Self::start(&[])).await
    }

    fn config(&self) -> KafkaConfig {
        KafkaConfig::new([self.server.url()])
    }

    fn source(&self, topic: &str) -> KafkaSource {
        KafkaSource::new(self.config(), topic)
    }

    fn replica(&self, topic: &str) -> Replica {
        Replica::start(self.source(topic), "one")
    }

    fn create(&self, topic: &str, settings: &str) {
        self.tool.ask(&format!(
            "create {topic} message.timestamp.type=LogAppendTime {settings}"
        ));
    }

    /// Publishes the messages, and returns where the last one is.
    fn send(&self, topic: &str, messages: &[&str]) -> u64 {
        let offsets = messages
            .iter()
            .map(|message| self.tool.ask(&format!("send {topic} '{message}'")));
        offsets.last().unwrap().parse().unwrap()
    }
}

/// A feed that is read without the loop, and what it said.
struct Bare {
    source: KafkaSource,
    messages: Vec<String>,
    last: Option<(
        tower_revocation::source::Position,
        Option<tower_revocation::source::Landmark>,
    )>,
}

impl Bare {
    async fn open(mut source: KafkaSource, start: &Start) -> (Self, Continuity) {
        let continuity = source
            .open(start)
            .await
            .unwrap_or_else(|error| panic!("{}", words(&error)));
        let bare = Self {
            source,
            messages: Vec::new(),
            last: None,
        };
        (bare, continuity)
    }

    /// Reads for a while, or until something is as wanted. Returns what was said beside messages.
    async fn read(&mut self, time: Duration, wanted: impl Fn(&Said, &[String]) -> bool) -> Vec<Said> {
        let mut said = Vec::new();
        let deadline = Instant::now() + time;
        while let Ok(signal) = timeout(deadline - Instant::now(), self.source.next()).await {
            let one = match signal {
                Ok(Signal::Message(delivery)) => {
                    let message = String::from_utf8_lossy(delivery.payload()).into_owned();
                    self.last = delivery.position().map(|at| (at, delivery.landmark()));
                    self.messages.push(message);
                    Said::Message
                }
                Ok(Signal::CaughtUp) => Said::CaughtUp,
                Ok(Signal::Alive { lag }) => Said::Alive(lag),
                Ok(other) => panic!("{other:?}"),
                Err(error) => Said::Error(words(&error)),
            };
            let is_over = wanted(&one, &self.messages) || matches!(one, Said::Error(_));
            said.push(one);
            if is_over || Instant::now() >= deadline {
                break;
            }
        }
        said
    }

    async fn until_caught_up(&mut self) {
        let said = self.read(PATIENCE, |said, _| *said == Said::CaughtUp).await;
        assert_eq!(said.last(), Some(&Said::CaughtUp), "{said:?}");
    }
}

#[derive(Debug, PartialEq)]
enum Said {
    Alive(Option<u64>),
    CaughtUp,
    Error(String),
    Message,
}

/// An error with its causes.
fn words(error: &SourceError) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        words.push_str(&format!(": {next}"));
        cause = next.source();
    }
    words
}

const PATIENCE: Duration = Duration::from_secs(30);
