//! The outbox in SQLite.

use std::sync::Arc;

use sqlx::SqliteExecutor;
use tokio::sync::Notify;

use crate::outbox::error::OutboxError;
use crate::outbox::event::event_of;
use crate::statements::statement::Statement;

/// The outbox in SQLite: a table that a [`SqliteMover`](super::SqliteMover) empties. A cheap clone. See the [module](super).
#[derive(Clone, Debug)]
pub struct SqliteOutbox {
    pub(super) source: Arc<str>,
    pub(super) committed: Arc<Notify>,
}

impl SqliteOutbox {
    /// The table: a script that may be run again.
    pub const DDL: &str = include_str!("../../docs/sql/outbox.sqlite.sql");

    /// What adds a statement, for any client: its one value is the text that [`event`](Self::event) returns.
    pub const INSERT: &str = "insert into revocation_outbox (event) values (?)";

    /// Returns the outbox of an issuer, such as `https://auth.example.com`.
    #[must_use]
    pub fn new(source: &str) -> Self {
        Self {
            source: source.into(),
            committed: Arc::default(),
        }
    }

    /// Makes the table, if it is missing.
    ///
    /// # Errors
    ///
    /// Fails if the script cannot be run.
    pub async fn ensure<'c>(&self, executor: impl SqliteExecutor<'c>) -> Result<(), OutboxError> {
        sqlx::raw_sql(Self::DDL).execute(executor).await?;
        Ok(())
    }

    /// Returns a statement as the text of a CloudEvent: the value of [`INSERT`](Self::INSERT).
    ///
    /// # Errors
    ///
    /// Fails if nobody could read it, such as a statement about an empty id.
    pub fn event(&self, statement: &Statement) -> Result<String, OutboxError> {
        event_of(&self.source, statement)
    }

    /// Makes a statement in the caller's transaction. It is published once that is committed, and never if it is rolled back.
    ///
    /// # Errors
    ///
    /// Fails if the row cannot be added, or if nobody could read the statement.
    pub async fn enqueue<'c>(
        &self,
        executor: impl SqliteExecutor<'c>,
        statement: &Statement,
    ) -> Result<(), OutboxError> {
        let event = self.event(statement)?;
        sqlx::query(Self::INSERT).bind(event).execute(executor).await?;
        Ok(())
    }

    /// Tells the mover that a transaction was committed, so that it looks at once. It looks by itself as well, ten times a second.
    pub fn committed(&self) {
        self.committed.notify_one();
    }
}
