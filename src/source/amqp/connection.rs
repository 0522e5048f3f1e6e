//! How the broker is reached.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use lapin::options::{BasicQosOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection, Queue};
use tokio::time::timeout;

use crate::source::error::SourceError;

/// Connects as the host does. A cheap clone.
#[derive(Clone)]
pub(crate) struct Connector(Arc<Connect>);

type Connect = dyn Fn() -> BoxFuture<'static, lapin::Result<Connection>> + Send + Sync;

impl Connector {
    pub(crate) fn new<C, F>(connect: C) -> Self
    where
        C: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = lapin::Result<Connection>> + Send + 'static,
    {
        Self(Arc::new(move || connect().boxed()))
    }

    pub(super) async fn connect(&self) -> Result<Connection, SourceError> {
        (self.0)().await.map_err(because("cannot connect to the broker"))
    }
}

pub(super) async fn channel(connection: &Connection) -> Result<Channel, SourceError> {
    connection
        .create_channel()
        .await
        .map_err(because("cannot open a channel"))
}

/// Closes a connection in good order, or gives it up if that takes too long.
///
/// It may take for ever (seen with `lapin` 4.12.3). If a channel is being opened, the broker's answer comes after the
/// client began to close: to the client that is an error, and it ends. What it is asked for then, to close as well, it
/// loses without a word to whoever waits. And once it closes, it misses no heartbeat.
pub(super) async fn close(connection: &Connection) {
    // It is over in any case.
    let _ = timeout(GOODBYE, connection.close(REPLY_SUCCESS, "OK".into())).await;
}

/// Looks how a queue or stream is. If there is none, the broker closes the channel.
pub(super) async fn look(channel: &Channel, queue: &ShortString) -> lapin::Result<Queue> {
    let passive = QueueDeclareOptions::default().passive();
    channel
        .queue_declare(queue.clone(), passive, FieldTable::default())
        .await
}

/// Returns once everything came to the client that the broker had sent over a channel by now: the answer comes behind it.
///
/// It says again how much credit the channel's consumer has, which changes nothing.
pub(super) async fn all_came(channel: &Channel, credit: u16) -> lapin::Result<()> {
    channel.basic_qos(credit, BasicQosOptions::default()).await
}

/// A name as the protocol has them: of 255 bytes at most.
pub(super) fn short(name: &str) -> Result<ShortString, SourceError> {
    ShortString::try_new(name).map_err(|error| SourceError::new("a name is too long for the protocol").because(error))
}

/// A number in a header, in whichever width it was sent.
pub(super) fn number(headers: Option<&FieldTable>, name: &str) -> Option<u64> {
    match headers?.inner().get(name)? {
        AMQPValue::LongLongInt(number) => u64::try_from(*number).ok(),
        AMQPValue::LongInt(number) => u64::try_from(*number).ok(),
        AMQPValue::LongUInt(number) => Some((*number).into()),
        AMQPValue::ShortInt(number) => u64::try_from(*number).ok(),
        AMQPValue::ShortUInt(number) => Some((*number).into()),
        AMQPValue::ShortShortInt(number) => u64::try_from(*number).ok(),
        AMQPValue::ShortShortUInt(number) => Some((*number).into()),
        _ => None,
    }
}

/// What was attempted, to add what the client says.
pub(super) fn because(attempt: impl Into<String>) -> impl FnOnce(lapin::Error) -> SourceError {
    // Its words have those of its own cause in them, which would be said twice.
    |error| SourceError::new(attempt).because(error.to_string())
}

/// How long closing may take, which is one question and its answer.
const GOODBYE: Duration = Duration::from_millis(500);
const REPLY_SUCCESS: u16 = 200;
