//! What the feeds of RabbitMQ share: a publisher that loses nothing, and a queue for dead letters.

use std::time::Duration;

use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

/// What [`connect`]s over a port.
pub(crate) fn connector(port: u16) -> impl Fn() -> Connecting + Clone + Send + Sync + 'static {
    move || Box::pin(connect(port))
}

pub(crate) type Connecting = std::pin::Pin<Box<dyn Future<Output = lapin::Result<Connection>> + Send>>;

pub(crate) async fn connect(port: u16) -> lapin::Result<Connection> {
    let url = format!("amqp://127.0.0.1:{port}/%2f?heartbeat=5");
    Connection::connect(&url, ConnectionProperties::default()).await
}

/// Publishes to one place, over one connection for as long as it holds.
pub(crate) struct Publisher {
    port: u16,
    exchange: &'static str,
    routing_key: &'static str,
    current: Mutex<Option<(Connection, Channel)>>,
}

impl Publisher {
    pub(crate) fn new(port: u16, exchange: &'static str, routing_key: &'static str) -> Self {
        Self {
            port,
            exchange,
            routing_key,
            current: Mutex::new(None),
        }
    }

    /// Publishes in order, and returns when each is confirmed.
    pub(crate) async fn publish(&self, messages: &[Vec<u8>], properties: BasicProperties) {
        let mut kept = self.current.lock().await;
        // Not kept if this is dropped half way: what is confirmed then would be taken for what is published next.
        let mut current = kept.take();
        let deadline = Instant::now() + PATIENCE;
        let mut rest = messages;
        while !rest.is_empty() {
            if current.is_none() {
                current = connect_to_publish(self.port).await.ok();
            }
            let batch = &rest[..rest.len().min(WINDOW)];
            let confirmed = match &current {
                Some((_, channel)) => self.publish_batch(channel, batch, &properties).await,
                None => 0,
            };
            rest = &rest[confirmed..];
            if confirmed < batch.len() {
                assert!(Instant::now() < deadline, "{} messages are not confirmed", rest.len());
                current = None;
                sleep(PAUSE).await;
            }
        }
        *kept = current;
    }

    /// Publishes without waiting for each; returns how many of the first of them are confirmed.
    async fn publish_batch(&self, channel: &Channel, batch: &[Vec<u8>], properties: &BasicProperties) -> usize {
        // Without it, what cannot be routed just after a start is confirmed, and thrown away.
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let mut confirmations = Vec::new();
        for message in batch {
            let (exchange, routing_key) = (self.exchange.into(), self.routing_key.into());
            match channel
                .basic_publish(exchange, routing_key, options, message, properties.clone())
                .await
            {
                Ok(confirmation) => confirmations.push(confirmation),
                Err(_) => break,
            }
        }
        let mut confirmed = 0;
        for confirmation in confirmations {
            match timeout(CONFIRMATION, confirmation).await {
                Ok(Ok(Confirmation::Ack(None))) => confirmed += 1,
                _ => break,
            }
        }
        confirmed
    }
}

async fn connect_to_publish(port: u16) -> lapin::Result<(Connection, Channel)> {
    let connection = connect(port).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok((connection, channel))
}

/// Tries what the broker refuses until it has found all of itself after a start.
pub(crate) async fn declared<T>(declare: impl AsyncFn() -> lapin::Result<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match declare().await {
            Ok(declared) => return declared,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        sleep(PAUSE).await;
    }
}

/// Declares the queue for dead letters.
pub(crate) async fn declare_dead_letters(channel: &Channel) -> lapin::Result<()> {
    let declared = channel.queue_declare(
        DEAD_LETTERS.into(),
        QueueDeclareOptions::durable(),
        FieldTable::default(),
    );
    declared.await.map(|_| ())
}

/// What is in the queue for dead letters, which stays in there.
pub(crate) async fn dead_letters(port: u16) -> Vec<(Vec<u8>, String)> {
    let connection = connect(port).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let mut letters = Vec::new();
    while let Some(letter) = channel
        .basic_get(DEAD_LETTERS.into(), BasicGetOptions::default())
        .await
        .unwrap()
    {
        let headers = letter.properties.headers().clone().unwrap_or_default();
        let text = |value: &lapin::types::AMQPValue| value.as_long_string().map(ToString::to_string);
        let mut about: Vec<String> = headers
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name}: {}", text(value)?)))
            .collect();
        if let Some(message_id) = letter.properties.message_id() {
            about.push(format!("message-id: {message_id}"));
        }
        letters.push((letter.delivery.data, about.join("\n")));
    }
    // They come back when the channel closes.
    connection.close(200, "OK".into()).await.unwrap();
    letters
}

pub(crate) const DEAD_LETTERS: &str = "dead-letters";

/// How many messages are on their way at once.
const WINDOW: usize = 512;

/// How long a server may be away.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// How long a confirmation may take. Of what is published just after a start, some is never confirmed.
const CONFIRMATION: Duration = Duration::from_secs(2);
