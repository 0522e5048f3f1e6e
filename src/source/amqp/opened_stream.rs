//! A stream that is being read.

use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tokio::select;

use crate::source::amqp::log::{Log, Place};
use crate::source::amqp::pulse::Pulse;
use crate::source::amqp::reader::{CREDIT, Message, Reader};
use crate::source::amqp::seen::Seen;
use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, Signal};
use crate::source::position::Start;

/// A stream that is being read; dropped, its connection is closed.
pub(super) struct OpenedStream {
    log: Arc<Log>,
    reader: Reader,
    pulse: Pulse,
    /// What was settled before.
    after: Option<u64>,
    /// The offset of the next message; the first one tells it.
    next: Option<u64>,
    /// Looks for the newest message of those that were there at the opening: reading need not wait for that.
    newest: Option<Search>,
    /// Up to where they go.
    old_until: Option<u64>,
    /// The oldest message, if none came at the opening.
    oldest: Option<u64>,
    hole: Option<Hole>,
}

/// A message that comes after a hole in the offsets. RabbitMQ makes one with each segment of the log: it writes
/// something of its own there. But it may also be that this reader was overtaken by the stream's retention.
struct Hole {
    message: Message,
    oldest: Search,
}

/// On its way to an offset.
type Search = BoxFuture<'static, Result<Option<u64>, SourceError>>;

impl OpenedStream {
    pub(super) async fn open(log: Log, start: &Start, seen: &mut Seen) -> Result<(Self, Continuity), SourceError> {
        let placed = Placed::find(&log, start, seen).await?;
        let pulse = log.pulse().await?;
        let log = Arc::new(log);
        let (newest, old_until) = match placed.first {
            Some(_) => (Some(newest(Arc::clone(&log)).boxed()), None),
            // All were before the time that is asked for.
            None => (None, Some(0)),
        };
        let opened = Self {
            log,
            reader: placed.reader,
            pulse,
            after: placed.after,
            next: placed.first,
            newest,
            old_until,
            oldest: placed.oldest,
            hole: None,
        };
        Ok((opened, placed.continuity))
    }

    /// # Cancel safety
    ///
    /// Dropping the future loses no message.
    pub(super) async fn next(&mut self) -> Result<Signal<Message>, SourceError> {
        loop {
            if let Some(message) = self.beyond_hole().await? {
                self.next = Some(message.offset + 1);
                return Ok(Signal::Message(message));
            }
            if self
                .old_until
                .is_some_and(|old_until| self.next.unwrap_or(0) >= old_until)
            {
                self.old_until = None;
                return Ok(Signal::CaughtUp);
            }
            let message = select! {
                biased;
                newest = found(&mut self.newest) => {
                    self.newest = None;
                    let newest = newest?.ok_or_else(|| SourceError::new("the newest message does not come"))?;
                    self.old_until = Some(newest + 1);
                    continue;
                }
                message = self.reader.next() => message?,
                answer = self.pulse.beat() => {
                    answer?;
                    self.reader.flush();
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
                let oldest = oldest(Arc::clone(&self.log)).boxed();
                self.hole = Some(Hole { message, oldest });
                continue;
            }
            self.next = Some(message.offset + 1);
            if self.after.is_none_or(|after| message.offset > after) {
                return Ok(Signal::Message(message));
            }
        }
    }

    /// How many messages come after this one, of those that were there at the opening.
    pub(super) fn lag(&self, offset: u64) -> Option<u64> {
        Some(self.old_until?.saturating_sub(offset + 1))
    }

    pub(super) async fn close(self) {
        let Self { log, newest, hole, .. } = self;
        // They have it as well.
        drop((newest, hole));
        if let Some(log) = Arc::into_inner(log) {
            log.close().await;
        }
    }

    /// The message after a hole, once it is known that nothing was lost in there.
    async fn beyond_hole(&mut self) -> Result<Option<Message>, SourceError> {
        let Some(hole) = &mut self.hole else {
            return Ok(None);
        };
        let oldest = (&mut hole.oldest).await?;
        let message = self.hole.take().map(|hole| hole.message);
        // What is older than the hole is there, so the hole is not where something was cut off.
        match (oldest, self.next) {
            (Some(oldest), Some(next)) if oldest < next => Ok(message),
            _ => Err(SourceError::new("the stream was trimmed while it was read")),
        }
    }
}

/// Where reading starts.
struct Placed {
    reader: Reader,
    continuity: Continuity,
    after: Option<u64>,
    /// The message that came first, if one came.
    first: Option<u64>,
    /// The oldest message of the stream; not looked for when reading on.
    oldest: Option<u64>,
}

impl Placed {
    async fn find(log: &Log, start: &Start, seen: &mut Seen) -> Result<Self, SourceError> {
        let mut gap = None;
        if let Some(after) = start.after(0) {
            let after = u64::try_from(after).unwrap_or(u64::MAX);
            match log.read_after(after, seen).await? {
                Ok(mut reader) => {
                    return Ok(Self {
                        first: offset_of_first(&mut reader).await?,
                        reader,
                        continuity: Continuity::Complete,
                        after: Some(after),
                        oldest: None,
                    });
                }
                Err(reason) => gap = Some(reason),
            }
        }
        seen.forget();
        let mut reader = log.read(Place::Since(start.time()), CREDIT).await?;
        // Asked for once the reader has its place: what is trimmed in between counts as missing.
        let oldest = log.oldest().await?;
        let first = offset_of_first(&mut reader).await?;
        let reason = match (gap, oldest, first) {
            (Some(reason), _, _) => Some(reason),
            (None, None, _) => Some("the stream is empty".to_owned()),
            // Only if something lies before it, it has everything.
            (None, Some(oldest), Some(first)) if first <= oldest => {
                Some("the stream does not reach back far enough".to_owned())
            }
            (None, Some(_), _) => None,
        };
        Ok(Self {
            reader,
            continuity: reason.map_or(Continuity::Complete, Continuity::Gap),
            after: None,
            first,
            oldest,
        })
    }
}

async fn newest(log: Arc<Log>) -> Result<Option<u64>, SourceError> {
    log.newest().await
}

async fn oldest(log: Arc<Log>) -> Result<Option<u64>, SourceError> {
    log.oldest().await
}

/// What is found; waits for ever if nothing is looked for.
async fn found(search: &mut Option<Search>) -> Result<Option<u64>, SourceError> {
    match search {
        Some(search) => search.await,
        None => pending().await,
    }
}

async fn offset_of_first(reader: &mut Reader) -> Result<Option<u64>, SourceError> {
    Ok(reader.first(MOMENT).await?.map(|first| first.offset))
}

impl fmt::Debug for OpenedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedStream")
            .field("log", &self.log)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

/// How long to wait for a first message once others came, and there may be none.
const MOMENT: Duration = Duration::from_millis(300);
