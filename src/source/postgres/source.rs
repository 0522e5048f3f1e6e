//! The table as one replica reads it.

use std::fmt;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Error;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use crate::common::log;
use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, EventSource, Signal};
use crate::source::log::LogDeadLetters;
use crate::source::position::Start;
use crate::source::postgres::connection::OptionsProvider;
use crate::source::postgres::dead_letters::PostgresDeadLetters;
use crate::source::postgres::delivery::PostgresDelivery;
use crate::source::postgres::query::prepare;
use crate::source::postgres::reader::{OutboxReader, OutboxSaid};

/// The outbox of PostgreSQL as one replica reads it. See the [module](super) for how rows get there and what it promises.
///
/// It connects when it is opened, and anew whenever it is opened anew: once to read, and once to be woken.
pub struct PostgresSource {
    options: OptionsProvider,
    name: String,
    has_dead_letters: bool,
    reading: Option<TableReading>,
}

/// What tasks read. They end when this is dropped.
struct TableReading {
    _tasks: JoinSet<()>,
    said: mpsc::Receiver<Result<OutboxSaid, SourceError>>,
}

impl PostgresSource {
    /// Returns a source of the table `revocation_outbox` of this database.
    #[must_use]
    pub fn new(options: PgConnectOptions) -> Self {
        Self::connecting(move || ready(Ok(options.clone())))
    }

    /// Returns a source that asks for its options each time that it connects: for passwords that are replaced while it runs.
    ///
    /// What the closure does is part of opening, which may take [10 seconds](crate::source::DEFAULT_OPEN_TIMEOUT) by default. Its
    /// error counts like that of a server that cannot be reached.
    #[must_use]
    pub fn connecting<O, F>(options: O) -> Self
    where
        O: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<PgConnectOptions, Error>> + Send + 'static,
    {
        Self {
            options: OptionsProvider::new(options),
            name: "postgres:revocation_outbox".to_owned(),
            has_dead_letters: false,
            reading: None,
        }
    }

    /// Stores dead letters in the table `revocation_dead_letters`, each once for all replicas. By default they are not stored.
    ///
    /// Nothing is ever removed there: that is for whoever looks at it.
    #[must_use]
    pub const fn with_dead_letters(mut self) -> Self {
        self.has_dead_letters = true;
        self
    }
}

impl EventSource for PostgresSource {
    type Delivery = PostgresDelivery;

    fn name(&self) -> &str {
        &self.name
    }

    async fn open(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        self.reading = None;
        let failed = |error: Error| SourceError::new("cannot connect to PostgreSQL").because(error);
        let mut connection = self.options.connect().await.map_err(failed)?;
        for setting in prepare(&mut connection).await.map_err(failed)? {
            log::warn!(%setting, "is off: PostgreSQL may lose what it confirms");
        }
        let dead_letters = self.has_dead_letters.then(|| {
            let dead_letters = PostgresDeadLetters::new(self.options.clone());
            Arc::new(dead_letters) as Arc<dyn LogDeadLetters>
        });
        let wake = Arc::new(Notify::new());
        let (reader, continuity) = OutboxReader::open(connection, start, Arc::clone(&wake), dead_letters).await?;
        let (sender, said) = mpsc::channel(AHEAD);
        let mut tasks = JoinSet::new();
        tasks.spawn(reader.run(sender));
        let options = self.options.clone();
        tasks.spawn(async move {
            options.listen(wake).await;
        });
        self.reading = Some(TableReading { _tasks: tasks, said });
        Ok(continuity)
    }

    async fn next(&mut self) -> Result<Signal<PostgresDelivery>, SourceError> {
        let Some(reading) = &mut self.reading else {
            return Err(SourceError::new("the table is not open"));
        };
        let said = reading.said.recv().await;
        let said = said.ok_or_else(|| SourceError::new("the table is not read any more"))??;
        Ok(match said {
            OutboxSaid::Row(delivery) => Signal::Message(delivery),
            // The loop was busy for long: where the end was then says nothing of where it is now.
            OutboxSaid::End(at) if at.elapsed() > FRESH => Signal::Alive { lag: None },
            OutboxSaid::End(_) => Signal::CaughtUp,
            OutboxSaid::EndOfCopy(at, behind) => match behind + at.elapsed() {
                behind if behind > FRESH => Signal::Behind(behind),
                _ => Signal::CaughtUp,
            },
        })
    }

    async fn close(&mut self) {
        self.reading = None;
    }
}

impl fmt::Debug for PostgresSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the options, which know a password.
        f.debug_struct("PostgresSource")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// How old the news of an end may be.
const FRESH: Duration = Duration::from_secs(2);

/// How many rows are read ahead, beside a page.
const AHEAD: usize = 1_000;
