//! Reads the table.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Error, PgConnection};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout};

use crate::source::error::SourceError;
use crate::source::event_source::Continuity;
use crate::source::log::LogDeadLetters;
use crate::source::position::Start;
use crate::source::postgres::continuity::OutboxProgress;
use crate::source::postgres::delivery::PostgresDelivery;
use crate::source::postgres::early_rows::EarlyRows;
use crate::source::postgres::place::OutboxPlace;
use crate::source::postgres::query::{OutboxLook, look, there};

/// The table that is being read, on a connection of its own.
pub(super) struct OutboxReader {
    connection: PgConnection,
    progress: OutboxProgress,
    early: EarlyRows,
    wake: Arc<Notify>,
    dead_letters: Option<Arc<dyn LogDeadLetters>>,
}

/// What was read.
pub(super) enum OutboxSaid {
    Row(PostgresDelivery),
    /// Everything came in that was there at this moment.
    End(Instant),
    /// The same, of a copy that may be behind.
    EndOfCopy(Instant, Duration),
}

impl OutboxReader {
    /// Begins to read, and says whether everything is there that was asked for.
    pub(super) async fn open(
        mut connection: PgConnection,
        start: &Start,
        wake: Arc<Notify>,
        dead_letters: Option<Arc<dyn LogDeadLetters>>,
    ) -> Result<(Self, Continuity), SourceError> {
        let after = start.after(0).map(OutboxPlace::of_offset);
        let mut found = Vec::new();
        // Before the look: what is removed meanwhile is noted there.
        for (offset, landmark) in start.landmarks(0) {
            let place = OutboxPlace::of_offset(offset);
            let event = there(&mut connection, place).await.map_err(failed)?;
            found.push((place, landmark, event));
        }
        let early = EarlyRows::new();
        let looked = look(&mut connection, after.unwrap_or_default(), &early, 0).await;
        let facts = looked.map_err(failed)?.facts;
        if facts.is_foreign() {
            return Err(SourceError::new(FOREIGN));
        }
        let (progress, continuity) = match after {
            None => OutboxProgress::first(start, &facts),
            Some(after) => OutboxProgress::resumed(after, &found, start, &facts),
        };
        let reader = Self {
            connection,
            progress,
            early,
            wake,
            dead_letters,
        };
        Ok((reader, continuity))
    }

    /// Reads until it fails, or nobody listens any more.
    pub(super) async fn run(mut self, said: mpsc::Sender<Result<OutboxSaid, SourceError>>) {
        loop {
            let asked = Instant::now();
            let looked = look(&mut self.connection, self.progress.after, &self.early, PAGE).await;
            let (rows, is_more) = match looked.map_err(failed).and_then(|look| self.take_in(look, asked)) {
                Ok(read) => read,
                Err(error) => {
                    let _ = said.send(Err(error)).await;
                    return;
                }
            };
            for row in rows {
                if said.send(Ok(row)).await.is_err() {
                    return;
                }
            }
            if !is_more {
                // Whoever waits in vain has nothing to be told.
                let _ = timeout(PAUSE, self.wake.notified()).await;
            }
        }
    }

    /// Takes in what a look found, and says whether there is more.
    fn take_in(&mut self, look: OutboxLook, asked: Instant) -> Result<(Vec<OutboxSaid>, bool), SourceError> {
        let facts = look.facts;
        let checked = self.progress.check(&facts);
        checked.map_err(|reason| SourceError::new(READING).because(reason).as_loss())?;
        if facts.is_foreign() {
            return Err(SourceError::new(FOREIGN));
        }
        let is_full = look.rows.len() >= PAGE;
        let last_early = look.early.last().map(|row| row.place);
        let is_more_early = self.early.pass(&facts.now, last_early, look.early.len() >= PAGE);
        let mut said = Vec::with_capacity(look.rows.len() + look.early.len() + 1);
        for row in look.early {
            said.push(OutboxSaid::Row(PostgresDelivery {
                event: row.event,
                place: None,
                dead_letters: None,
            }));
        }
        for row in look.rows {
            let landmark = self.progress.pass(&row);
            said.push(OutboxSaid::Row(PostgresDelivery {
                event: row.event,
                place: Some((row.place.position(), landmark)),
                dead_letters: self.dead_letters.clone(),
            }));
        }
        let is_more = is_full || is_more_early;
        if !is_more {
            said.push(match facts.behind() {
                None => OutboxSaid::End(asked),
                Some(behind) => OutboxSaid::EndOfCopy(asked, behind),
            });
        }
        Ok((said, is_more))
    }
}

fn failed(error: Error) -> SourceError {
    match error {
        Error::RowNotFound => SourceError::new("the table revocation_log has no row"),
        error => SourceError::new(READING).because(error),
    }
}

const READING: &str = "cannot read the table revocation_outbox";
const FOREIGN: &str = "the table revocation_outbox is another server's: revocation_outbox_renew() has to be called";

/// How many rows are read together.
const PAGE: usize = 1_000;

/// How often it is asked where nothing wakes the reader, and how often it tells that it is at the end.
const PAUSE: Duration = Duration::from_secs(1);
