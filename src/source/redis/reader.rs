//! Reads ahead.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, Value, cmd};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::source::error::SourceError;
use crate::source::event_source::Continuity;
use crate::source::position::Start;
use crate::source::redis::entry::{Entry, Id, entries};
use crate::source::redis::info::Info;
use crate::source::redis::place::Place;

/// A stream that is being read, on a connection of its own.
pub(super) struct Reader {
    connection: MultiplexedConnection,
    key: Arc<str>,
    field: Arc<str>,
    pub(super) place: Place,
    looked: Instant,
}

/// Some entries in their order; none after a second in which none came.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    /// How many come after these, if that is known.
    pub(super) lag: Option<u64>,
    /// How far this is.
    pub(super) place: Place,
}

/// Why a stream is no longer read.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) error: SourceError,
    /// What is wrong with the stream, if something is: then there is a gap, also if it is fine when it is opened anew.
    pub(super) loss: Option<&'static str>,
}

/// What is remembered of a stream over openings.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Past {
    pub(super) place: Option<Place>,
    pub(super) loss: Option<&'static str>,
}

/// A stream as it was when it was opened.
pub(super) struct Opened {
    pub(super) reader: Reader,
    pub(super) continuity: Continuity,
    /// The newest entry that was there and is still to be read.
    pub(super) old_until: Option<Id>,
}

impl Reader {
    pub(super) async fn open(
        client: &Client,
        key: Arc<str>,
        field: Arc<str>,
        past: Past,
        start: &Start,
    ) -> Result<Opened, SourceError> {
        let failed = |error: RedisError| SourceError::new(format!("cannot open the stream {key}")).because(error);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECTION_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let connected = client.get_multiplexed_async_connection_with_config(&config).await;
        let mut connection = connected.map_err(failed)?;
        let info = Info::ask(&mut connection, &key).await.map_err(failed)?;
        let (place, continuity) = match start.after(0).map(Id) {
            None => Place::first(start, &info),
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
                let read_until = past.place.map(|mut place| place.check(place.after, &info));
                let loss = past.loss.or_else(|| read_until.and_then(Result::err));
                Place::resumed(after, is_there, loss, start, &info)
            }
        };
        let reader = Self {
            connection,
            key,
            field,
            place,
            looked: Instant::now(),
        };
        Ok(Opened {
            reader,
            continuity,
            old_until: info.last.filter(|last| *last > place.after),
        })
    }

    /// Reads until it fails, or until nobody listens any more.
    pub(super) async fn run(mut self, batches: mpsc::Sender<Result<Batch, Ended>>) {
        loop {
            let batch = self.read().await;
            let is_over = batch.is_err();
            if batches.send(batch).await.is_err() || is_over {
                return;
            }
        }
    }

    async fn read(&mut self) -> Result<Batch, Ended> {
        let answer = cmd("XREAD")
            .arg("COUNT")
            .arg(COUNT)
            .arg("BLOCK")
            .arg(BLOCK.as_millis() as u64)
            .arg("STREAMS")
            .arg(&*self.key)
            .arg(self.place.after.to_string())
            .query_async::<Value>(&mut self.connection)
            .await
            .map_err(|error| self.failed().because(error))?;
        let entries = entries(answer, self.field.as_bytes()).ok_or_else(|| {
            self.failed()
                .because("the server answers with something else than entries")
        })?;
        let before = self.place.after;
        self.place.pass(&entries);
        let is_lagging = entries.len() >= COUNT;
        let is_idle = entries.is_empty();
        if is_idle || self.looked.elapsed() >= PAUSE || self.place.needs_looks(is_lagging) {
            let info = Info::ask(&mut self.connection, &self.key)
                .await
                .map_err(|error| self.failed().because(error))?;
            self.place.check(before, &info).map_err(|reason| Ended {
                error: self.failed().because(reason),
                loss: Some(reason),
            })?;
            self.looked = Instant::now();
        }
        let lag = match is_lagging {
            true => self.place.lag(),
            false => Some(0),
        };
        Ok(Batch {
            entries,
            lag,
            place: self.place,
        })
    }

    fn failed(&self) -> SourceError {
        SourceError::new(format!("cannot read the stream {}", self.key))
    }
}

impl From<SourceError> for Ended {
    fn from(error: SourceError) -> Self {
        Self { error, loss: None }
    }
}

/// How many entries are asked for at once.
const COUNT: usize = 512;

/// How long the server waits for the first of them. Its answer is the sign of life.
const BLOCK: Duration = Duration::from_secs(1);

/// How often it is looked at least whether the stream lost something.
const PAUSE: Duration = Duration::from_secs(1);

const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);

/// The client's default is shorter than the server waits.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(2_500);
