//! NATS JetStream.

use std::time::Duration;

use async_nats::jetstream::{self, stream};
use async_nats::{Client, ConnectOptions};
use tower_revocation::source::nats::NatsSource;

use crate::Failure;

/// A connection to publish with.
pub(crate) struct Connection {
    context: jetstream::Context,
    subject: String,
}

impl Connection {
    pub(crate) async fn open(
        server: &str,
        stream: &str,
        subject: &str,
        dead_letters: Option<&str>,
    ) -> Result<Self, Failure> {
        let client = options().connect(server).await?;
        let context = jetstream::new(client);
        declare(&context, stream, subject).await?;
        if let Some(subject) = dead_letters {
            declare(&context, &subject.replace('.', "-"), subject).await?;
        }
        Ok(Self {
            context,
            subject: subject.to_owned(),
        })
    }

    pub(crate) async fn publish(&mut self, message: &[u8]) -> Result<(), Failure> {
        let confirmation = self
            .context
            .publish(self.subject.clone(), message.to_vec().into())
            .await?;
        confirmation.await?;
        Ok(())
    }
}

async fn declare(context: &jetstream::Context, name: &str, subject: &str) -> Result<(), Failure> {
    let config = stream::Config {
        name: name.to_owned(),
        subjects: vec![subject.to_owned()],
        storage: stream::StorageType::File,
        max_age: RETENTION,
        duplicate_window: Duration::from_secs(120),
        ..stream::Config::default()
    };
    context.get_or_create_stream(config).await?;
    Ok(())
}

/// The feed of one gateway. The server need not be there yet.
pub(crate) async fn source(
    server: &str,
    stream: &str,
    subject: &str,
    dead_letters: Option<&str>,
) -> Result<NatsSource, Failure> {
    let client: Client = options().retry_on_initial_connect().connect(server).await?;
    let source = NatsSource::new(client, stream).with_subject(subject);
    Ok(match dead_letters {
        Some(subject) => source.with_dead_letters(subject),
        None => source,
    })
}

fn options() -> ConnectOptions {
    ConnectOptions::new()
        .ping_interval(Duration::from_secs(2))
        .connection_timeout(Duration::from_secs(2))
        .reconnect_delay_callback(|_attempts| Duration::from_millis(100))
}

/// Longer than any outage that is to be made good from the stream; what is older is in the list.
const RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);
