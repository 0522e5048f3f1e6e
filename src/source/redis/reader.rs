//! Reads a stream.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Client, RedisError, Value, cmd};
use tokio::time::Instant;

use crate::source::error::SourceError;
use crate::source::event_source::Continuity;
use crate::source::log::{Batch, CaughtUp, LogDeadLetters, LogDelivery, ReadBatches};
use crate::source::position::{Position, Start};
use crate::source::redis::connection::connect;
use crate::source::redis::continuity::StreamProgress;
use crate::source::redis::entry::{Id, entries};
use crate::source::redis::info::Info;

/// A stream that is being read, on a connection of its own.
pub(super) struct StreamReader {
    connection: MultiplexedConnection,
    key: Arc<str>,
    field: Arc<str>,
    progress: StreamProgress,
    looked: Instant,
    dead_letters: Option<Arc<dyn LogDeadLetters>>,
}

impl StreamReader {
    /// Opens a stream. Returns with it whether it has everything, and what has to come in for it to be caught up.
    pub(super) async fn open(
        client: &Client,
        key: Arc<str>,
        field: Arc<str>,
        start: &Start,
        dead_letters: Option<Arc<dyn LogDeadLetters>>,
    ) -> Result<(Self, Continuity, CaughtUp), SourceError> {
        let failed = |error: RedisError| SourceError::new(format!("cannot open the stream {key}")).because(error);
        let mut connection = connect(client, RESPONSE_TIMEOUT).await.map_err(failed)?;
        let info = Info::ask(&mut connection, &key).await.map_err(failed)?;
        let (progress, continuity) = match start.after(0).map(Id) {
            None => StreamProgress::first(start, &info),
            Some(after) => {
                // That number, or that of the first that is not settled, less one.
                let range = cmd("XRANGE")
                    .arg(&*key)
                    .arg(after.to_string())
                    .arg(after.after().to_string())
                    .arg("COUNT")
                    .arg(1)
                    .query_async::<Vec<Value>>(&mut connection)
                    .await;
                let is_there = !range.map_err(failed)?.is_empty();
                StreamProgress::resumed(after, is_there, start, &info)
            }
        };
        let behind = |Id(id)| Position::at(id.saturating_add(1));
        let mut caught_up = CaughtUp::from([behind(progress.after)]);
        caught_up.ends([behind(info.newest)]);
        let reader = Self {
            connection,
            key,
            field,
            progress,
            looked: Instant::now(),
            dead_letters,
        };
        Ok((reader, continuity, caught_up))
    }

    fn failed(&self) -> SourceError {
        SourceError::new(format!("cannot read the stream {}", self.key))
    }
}

impl ReadBatches for StreamReader {
    async fn read(&mut self) -> Result<Batch, SourceError> {
        let answer = cmd("XREAD")
            .arg("COUNT")
            .arg(COUNT)
            .arg("BLOCK")
            .arg(BLOCK.as_millis() as u64)
            .arg("STREAMS")
            .arg(&*self.key)
            .arg(self.progress.after.to_string())
            .query_async::<Value>(&mut self.connection)
            .await
            .map_err(|error| self.failed().because(error))?;
        let entries = entries(answer, self.field.as_bytes()).ok_or_else(|| {
            self.failed()
                .because("the server answers with something else than entries")
        })?;
        let before = self.progress.after;
        self.progress.pass(&entries);
        let is_lagging = entries.len() >= COUNT;
        let (mut read_to, mut end) = (None, None);
        let is_idle = entries.is_empty();
        if is_idle || self.looked.elapsed() >= PAUSE || self.progress.needs_looks(is_lagging) {
            let info = Info::ask(&mut self.connection, &self.key)
                .await
                .map_err(|error| self.failed().because(error))?;
            let checked = self.progress.check(before, &info);
            checked.map_err(|reason| self.failed().because(reason).as_loss())?;
            self.looked = Instant::now();
            end = Some(info.newest.0.saturating_add(1));
            // The newest of all may have been deleted.
            let is_read = info.last.is_none_or(|last| last <= self.progress.after);
            read_to = end.filter(|_| is_read);
        }
        let lag = match is_lagging {
            true => self.progress.lag(),
            false => Some(0),
        };
        let behind = (0..entries.len() as u64).rev();
        let deliveries = entries.into_iter().zip(behind).map(|(entry, behind)| {
            LogDelivery::new(entry.payload, Position::at(entry.id.0))
                .with_landmark(self.progress.landmark(behind))
                .with_lag(lag.map(|lag| lag + behind))
                .with_dead_letters(self.dead_letters.clone())
        });
        Ok(Batch {
            partition: 0,
            deliveries: deliveries.collect(),
            read_to,
            end,
            lag: Some(0),
        })
    }
}

/// How many entries are asked for at once.
const COUNT: usize = 512;

/// How long the server waits for the first of them. Its answer is the sign of life.
const BLOCK: Duration = Duration::from_secs(1);

/// How often it is looked at least whether the stream lost something.
const PAUSE: Duration = Duration::from_secs(1);

/// The client's default is shorter than the server waits.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(2_500);
