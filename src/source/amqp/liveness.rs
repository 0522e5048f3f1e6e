//! Signs of life.

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use lapin::types::ShortString;
use lapin::{Channel, Queue};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::source::amqp::connection::{all_came, because, look};
use crate::source::error::SourceError;

/// Asks the broker once a second how the feed's queue or stream is.
///
/// The client's heartbeats would not do: they take two of their intervals, and say nothing of the queue.
pub(super) struct Liveness {
    /// Its own: messages wait for a channel's replies, and a channel's replies for messages.
    channel: Channel,
    queue: ShortString,
    /// Over which messages come, and its credit; if the answer has to come behind those that were sent before.
    reading: Option<(Channel, u16)>,
    due: Instant,
    asked: Option<BoxFuture<'static, Result<Queue, SourceError>>>,
    /// When the broker last had to answer, or sent anything.
    heard: Instant,
}

impl Liveness {
    pub(super) fn new(channel: Channel, queue: ShortString) -> Self {
        Self {
            channel,
            queue,
            reading: None,
            due: Instant::now() + PERIOD,
            asked: None,
            heard: Instant::now(),
        }
    }

    /// Has each answer wait for all messages that came over a channel before it. They are far more than an answer, and have a
    /// channel of their own: over a slow link they come later.
    pub(super) fn behind(mut self, reading: Channel, credit: u16) -> Self {
        self.reading = Some((reading, credit));
        self
    }

    /// Notes that the broker sent a message. On a slow link, an answer comes behind those that were sent before.
    pub(super) fn heard(&mut self) {
        self.heard = Instant::now();
    }

    /// Waits for the next answer. The broker has to give it in time.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: the question is not asked again.
    pub(super) async fn beat(&mut self) -> Result<Queue, SourceError> {
        if self.asked.is_none() {
            sleep_until(self.due).await;
            self.heard = Instant::now();
        }
        let ask = || ask(self.channel.clone(), self.queue.clone(), self.reading.clone()).boxed();
        let asked = self.asked.get_or_insert_with(ask);
        let answer = timeout_at(self.heard + PATIENCE, asked).await;
        self.asked = None;
        self.due = Instant::now() + PERIOD;
        answer.unwrap_or_else(|_late| {
            Err(SourceError::new(format!(
                "the broker does not answer within {PATIENCE:?}"
            )))
        })
    }
}

async fn ask(channel: Channel, queue: ShortString, reading: Option<(Channel, u16)>) -> Result<Queue, SourceError> {
    let attempt = || because(format!("cannot look at {queue}"));
    let answer = look(&channel, &queue).await.map_err(attempt())?;
    if let Some((reading, credit)) = reading {
        all_came(&reading, credit).await.map_err(attempt())?;
    }
    Ok(answer)
}

const PERIOD: Duration = Duration::from_secs(1);
/// Together with the period no more than the silence that the loop allows.
const PATIENCE: Duration = Duration::from_secs(3);
