//! Reads a stream.

use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, TryFutureExt};
use redis::{ErrorKind, RedisError, RedisResult};
use tokio::time::{Instant, timeout};

use crate::common::log;
use crate::source::error::SourceError;
use crate::source::event_source::Continuity;
use crate::source::log::{Batch, CaughtUp, LogDeadLetters, LogDelivery, ReadBatches};
use crate::source::position::{Position, Start};
use crate::source::redis::answer_size::AnswerSize;
use crate::source::redis::authority::Authority;
use crate::source::redis::connection::{Server, words};
use crate::source::redis::continuity::StreamProgress;
use crate::source::redis::entry::{Id, StreamEntry, entries};
use crate::source::redis::questions::{BLOCK, StreamAnswer, StreamLook, look, read, there};

/// A stream that is being read, on a connection of its own.
pub(super) struct StreamReader {
    server: Server,
    key: Arc<str>,
    field: Arc<str>,
    authority: Authority,
    /// The history of writes that the server had when it was connected to.
    history: String,
    /// Why the end of the stream is not known, if it is not.
    doubt: Option<String>,
    progress: StreamProgress,
    /// The place before the last batch, and that batch while a look has to come first.
    before: Id,
    held: Vec<StreamEntry>,
    is_lagging: bool,
    size: AnswerSize,
    looked: Instant,
    is_look_due: bool,
    asked: Option<Asked>,
    dead_letters: Option<Arc<dyn LogDeadLetters>>,
}

/// An answer that is on its way.
struct Asked {
    at: Instant,
    answer: BoxFuture<'static, RedisResult<StreamAnswer>>,
}

impl StreamReader {
    /// Begins to read from a server that was looked at. Returns with it whether it has everything, and what has to come in for it
    /// to be caught up.
    pub(super) async fn open(
        server: Server,
        look: StreamLook,
        (key, field): (Arc<str>, Arc<str>),
        start: &Start,
        authority: Authority,
        dead_letters: Option<Arc<dyn LogDeadLetters>>,
    ) -> RedisResult<(Self, Continuity, CaughtUp)> {
        let (progress, continuity) = match start.after(0).map(Id) {
            None => StreamProgress::first(start, &look.info),
            Some(after) => {
                let marked = start.landmarks(0).map(|(offset, _)| Id(offset));
                let there = there(&server.connection, &key, marked.chain([after, after.after()])).await?;
                StreamProgress::resumed(after, &there, start, &look.info)
            }
        };
        if continuity != Continuity::Complete && !start.is_first() && look.replication.role.is_cut_off() {
            return Err(RedisError::from((ErrorKind::Client, HAS_NOT_ALL)));
        }
        let mut reader = Self {
            server,
            key,
            field,
            authority,
            history: look.replication.history.clone(),
            doubt: None,
            before: progress.after,
            progress,
            held: Vec::new(),
            is_lagging: false,
            size: AnswerSize::new(),
            looked: Instant::now(),
            is_look_due: false,
            asked: None,
            dead_letters,
        };
        let mut caught_up = CaughtUp::from([Position::at(progress.after.after().0)]);
        caught_up.ends([Position::at(reader.end(&look))]);
        Ok((reader, continuity, caught_up))
    }

    /// The place of the next entry; beyond all places if whoever was asked may not know it.
    fn end(&mut self, look: &StreamLook) -> u128 {
        let doubt = self.authority.doubt(&look.replication.role);
        if let (Some(doubt), None) = (&doubt, &self.doubt) {
            log::warn!(key = &*self.key, doubt, "the end of the stream is not known");
        }
        self.doubt = doubt;
        match self.doubt {
            None => look.info.newest.after().0,
            Some(_) => u128::MAX,
        }
    }

    /// Waits for the answer to what was asked, or asks what is next, and tells how long it took. `None` if it is on its way still,
    /// from a server that is there.
    async fn answer(&mut self) -> Result<Option<(StreamAnswer, Duration)>, SourceError> {
        let mut asked = self.asked.take().unwrap_or_else(|| self.ask());
        match timeout(PATIENCE, &mut asked.answer).await {
            Ok(answer) => {
                let answer = answer.map_err(|error| self.failed().because(words(&error)))?;
                Ok(Some((answer, asked.at.elapsed())))
            }
            Err(_late) => {
                let is_there = self.server.is_there().await;
                is_there.map_err(|error: RedisError| self.failed().because(words(&error)))?;
                self.asked = Some(asked);
                Ok(None)
            }
        }
    }

    fn ask(&self) -> Asked {
        let (connection, key) = (self.server.connection.clone(), Arc::clone(&self.key));
        let answer = match self.is_look_due {
            true => look(connection, key).map_ok(StreamAnswer::Look).boxed(),
            false => read(connection, key, self.progress.after, self.size.count())
                .map_ok(StreamAnswer::Entries)
                .boxed(),
        };
        Asked {
            at: Instant::now(),
            answer,
        }
    }

    /// Checks that the stream has lost nothing before it was read.
    fn check(&mut self, look: &StreamLook) -> Result<(), SourceError> {
        if look.replication.history != self.history {
            return Err(self.failed().because("the server has another history than it had"));
        }
        let checked = self.progress.check(self.before, &look.info);
        checked.map_err(|reason| match look.replication.role.is_cut_off() {
            true => self.failed().because(HAS_NOT_ALL),
            false => self.failed().because(reason).as_loss(),
        })
    }

    /// What was read, and what a look says of it.
    fn batch(&self, entries: Vec<StreamEntry>, is_lagging: bool) -> Batch {
        let lag = match is_lagging {
            true => self.progress.lag(),
            false => Some(0),
        };
        let behind = (0..entries.len() as u64).rev();
        let deliveries = entries.into_iter().zip(behind).map(|(entry, behind)| {
            LogDelivery::new(entry.payload, Position::at(entry.id.0))
                .with_landmark(self.progress.landmark(behind, entry.digest))
                .with_lag(lag.map(|lag| lag + behind))
                .with_dead_letters(self.dead_letters.clone())
        });
        Batch {
            deliveries: deliveries.collect(),
            lag: Some(0),
            ..Batch::default()
        }
    }

    fn failed(&self) -> SourceError {
        SourceError::new(format!("cannot read the stream {}", self.key))
    }
}

impl ReadBatches for StreamReader {
    async fn read(&mut self) -> Result<Batch, SourceError> {
        loop {
            match self.answer().await? {
                None => return Ok(Batch::default()),
                Some((StreamAnswer::Entries(value), took)) => {
                    let entries = entries(value, self.field.as_bytes()).ok_or_else(|| {
                        self.failed()
                            .because("the server answers with something else than entries")
                    })?;
                    let is_lagging = entries.len() >= self.size.count();
                    let bytes = entries.iter().map(|entry| entry.payload.len()).sum();
                    self.size.learn(entries.len(), bytes, took);
                    self.before = self.progress.after;
                    self.progress.pass(&entries);
                    let needs_look = self.progress.needs_looks(is_lagging);
                    self.is_look_due = needs_look || entries.is_empty() || self.looked.elapsed() >= PAUSE;
                    match needs_look || entries.is_empty() {
                        true => (self.held, self.is_lagging) = (entries, is_lagging),
                        false => return Ok(self.batch(entries, is_lagging)),
                    }
                }
                Some((StreamAnswer::Look(look), _)) => {
                    self.check(&look)?;
                    (self.looked, self.is_look_due) = (Instant::now(), false);
                    let (held, is_lagging) = (take(&mut self.held), take(&mut self.is_lagging));
                    let batch = self.batch(held, is_lagging);
                    let end = self.end(&look);
                    // The newest of all may have been deleted.
                    let is_read = look.info.last.is_none_or(|last| last.id <= self.progress.after);
                    return Ok(Batch {
                        end: Some(end),
                        read_to: is_read.then(|| look.info.newest.after().0),
                        ..batch
                    });
                }
            }
        }
    }
}

/// A replica that copies its master's data anew is empty at first: nothing is lost by that.
const HAS_NOT_ALL: &str = "the replica is not connected to its master, and has not what was read";

/// How long an answer may be on its way before the server has to show that it is there.
const PATIENCE: Duration = BLOCK.saturating_add(Duration::from_millis(500));

/// How often it is looked at least where the stream ends, and whether it lost something.
const PAUSE: Duration = Duration::from_secs(1);
