//! Where rows are put aside that nobody can read.

use std::time::Duration;

use sqlx::{Error, PgConnection};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;
use crate::source::log::{LogDeadLetters, Storing};
use crate::source::postgres::connection::OptionsProvider;

/// The table of dead letters, over a connection of its own.
pub(super) struct PostgresDeadLetters {
    options: OptionsProvider,
    connection: Mutex<Option<PgConnection>>,
}

impl PostgresDeadLetters {
    pub(super) fn new(options: OptionsProvider) -> Self {
        Self {
            options,
            connection: Mutex::default(),
        }
    }

    async fn add(&self, letter: &DeadLetter) -> Result<(), Error> {
        let mut place = self.connection.lock().await;
        let mut connection = match place.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        sqlx::query(ADD_ONCE)
            .bind(letter.key().unwrap_or_default())
            .bind(&letter.payload[..])
            .bind(letter.to_json())
            .execute(&mut connection)
            .await?;
        // One that failed, or was given up, is not used again.
        *place = Some(connection);
        Ok(())
    }
}

impl LogDeadLetters for PostgresDeadLetters {
    /// Stores a letter, unless another replica did.
    fn store<'s>(&'s self, letter: &'s DeadLetter) -> Storing<'s> {
        let failed = || SourceError::new("cannot add to the table revocation_dead_letters");
        Box::pin(async move {
            let added = timeout(TIMEOUT, self.add(letter)).await;
            let added = added.map_err(|late| failed().because(late))?;
            added.map_err(|error| failed().because(error))
        })
    }
}

const ADD_ONCE: &str =
    "insert into revocation_dead_letters (key, payload, about) values ($1, $2, $3) on conflict do nothing";
const TIMEOUT: Duration = Duration::from_secs(5);
