//! A stream that is being read.

use std::future::pending;
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use tokio::select;

use crate::source::amqp::liveness::Liveness;
use crate::source::amqp::stream::connection::StreamConnection;
use crate::source::amqp::stream::consumer::{AmqpMessage, StreamMessages};
use crate::source::amqp::stream::continuity::FirstMessages;
use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, Signal};
use crate::source::log::CaughtUp;
use crate::source::position::{Position, Start};

/// A stream that is being read; dropped, its connection is closed.
pub(super) struct AmqpStreamReader {
    stream: Arc<StreamConnection>,
    messages: StreamMessages,
    liveness: Liveness,
    /// What was settled before.
    after: Option<u64>,
    /// The offset of the next message; the first one tells it.
    next: Option<u64>,
    /// Looks for the newest message: reading need not wait for that.
    newest: Option<Search>,
    /// Whether nothing is known of what was there at the opening.
    is_opening: bool,
    caught_up: CaughtUp,
    /// Whether messages came since the last sign of life.
    is_busy: bool,
    /// The oldest message, if none came at the opening.
    oldest: Option<u64>,
    hole: Option<Hole>,
}

/// A message that comes after a hole in the offsets. RabbitMQ makes one with each segment of the log: it writes
/// something of its own there. But it may also be that this reader was overtaken by the stream's retention.
struct Hole {
    message: AmqpMessage,
    oldest: Search,
}

/// On its way to an offset.
type Search = BoxFuture<'static, Result<Option<u64>, SourceError>>;

impl AmqpStreamReader {
    pub(super) async fn open(stream: StreamConnection, start: &Start) -> Result<(Self, Continuity), SourceError> {
        let begins = FirstMessages::find(&stream, start).await?;
        let liveness = stream.liveness().await?;
        let stream = Arc::new(stream);
        let reader = Self {
            newest: Some(newest(Arc::clone(&stream)).boxed()),
            is_opening: true,
            caught_up: CaughtUp::default(),
            is_busy: false,
            stream,
            messages: begins.messages,
            liveness,
            after: begins.after,
            next: begins.first,
            oldest: begins.oldest,
            hole: None,
        };
        Ok((reader, begins.continuity))
    }

    /// # Cancel safety
    ///
    /// Dropping the future loses no message.
    pub(super) async fn next(&mut self) -> Result<Signal<AmqpMessage>, SourceError> {
        loop {
            if let Some(message) = self.beyond_hole().await? {
                return Ok(self.read(message));
            }
            if !self.is_opening && self.caught_up.is_news() {
                return Ok(Signal::CaughtUp);
            }
            let message = select! {
                biased;
                newest = found(&mut self.newest) => {
                    self.newest = None;
                    let newest = newest?;
                    self.found_end(newest)?;
                    continue;
                }
                message = self.messages.next() => {
                    self.liveness.heard();
                    self.is_busy = true;
                    message?
                }
                answer = self.liveness.beat() => {
                    answer?;
                    self.messages.flush();
                    // Where it is not reached yet, it need not be known anew: over a slow link, looking takes from what is read.
                    let is_idle = !std::mem::take(&mut self.is_busy);
                    if self.newest.is_none() && (is_idle || self.caught_up.is_reached()) {
                        self.newest = Some(newest(Arc::clone(&self.stream)).boxed());
                    }
                    return Ok(Signal::Alive { lag: None });
                }
            };
            let expected = match self.next {
                Some(next) => next,
                None if self.oldest.is_some_and(|oldest| message.offset <= oldest) => {
                    return Err(SourceError::new(
                        "the stream does not reach back far enough, as it turned out",
                    ));
                }
                None => message.offset,
            };
            if message.offset > expected {
                let oldest = oldest(Arc::clone(&self.stream)).boxed();
                self.hole = Some(Hole { message, oldest });
                continue;
            }
            let is_new = self.after.is_none_or(|after| message.offset > after);
            let read = self.read(message);
            if is_new {
                return Ok(read);
            }
        }
    }

    /// Notes the newest message, if one was found.
    fn found_end(&mut self, newest: Option<u64>) -> Result<(), SourceError> {
        let end = newest.map(|newest| u128::from(newest) + 1);
        match (self.next, end) {
            (Some(_), None) if self.is_opening => return Err(SourceError::new("the newest message does not come")),
            (Some(next), _) => self.caught_up.came_to(Position::at(next.into())),
            // If none came, all were before the time that is asked for.
            (None, Some(end)) if self.is_opening => self.caught_up.came_to(Position::at(end)),
            (None, _) => {}
        }
        // There was one; it only does not come in time.
        let unknown = self.next.map(|_| u128::MAX);
        self.caught_up.ends(end.or(unknown).map(Position::at));
        self.is_opening = false;
        Ok(())
    }

    fn read(&mut self, message: AmqpMessage) -> Signal<AmqpMessage> {
        self.next = Some(message.offset + 1);
        self.caught_up.came_in(Position::at(message.offset.into()));
        Signal::Message(message)
    }

    /// How many messages come after this one, of those that were there at the opening.
    pub(super) fn lag(&self, position: Position) -> Option<u64> {
        self.caught_up.lag(position)
    }

    pub(super) async fn close(self) {
        // What is looked for is dropped only afterwards: each would have its own channel closed at the same time, which
        // the client takes for an error once all are being closed.
        self.stream.close().await;
    }

    /// The message after a hole, once it is known that nothing was lost in there.
    async fn beyond_hole(&mut self) -> Result<Option<AmqpMessage>, SourceError> {
        let Some(hole) = &mut self.hole else {
            return Ok(None);
        };
        let oldest = (&mut hole.oldest).await?;
        let message = self.hole.take().map(|hole| hole.message);
        // What is older than the hole is there, so the hole is not where something was cut off.
        match (oldest, self.next) {
            (Some(oldest), Some(next)) if oldest < next => Ok(message),
            _ => Err(SourceError::new("the stream was trimmed while it was read").as_loss()),
        }
    }
}

async fn newest(stream: Arc<StreamConnection>) -> Result<Option<u64>, SourceError> {
    stream.newest().await
}

async fn oldest(stream: Arc<StreamConnection>) -> Result<Option<u64>, SourceError> {
    stream.oldest().await
}

/// What is found; waits for ever if nothing is looked for.
async fn found(search: &mut Option<Search>) -> Result<Option<u64>, SourceError> {
    match search {
        Some(search) => search.await,
        None => pending().await,
    }
}
