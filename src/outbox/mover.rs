//! What empties the outbox of SQLite.

use std::time::Duration;

use futures_util::future::join_all;
use sqlx::SqlitePool;
use tokio::time::{sleep, timeout};

use crate::common::error_text::error_text;
use crate::common::log;
use crate::format::revocation::RevocationEvents;
use crate::issuer::{Issuer, IssuerError};
use crate::outbox::error::OutboxError;
use crate::outbox::sqlite::SqliteOutbox;
use crate::statements::statement::Statement;

/// Hands what is committed to the outbox of SQLite on to the [`Issuer`] of this process, in order.
///
/// A row is deleted once the issuer has the statement on disk. If the process dies in between, the statement is made twice, under two
/// ids, which changes nothing for who reads it.
#[derive(Debug)]
pub struct SqliteMover {
    pool: SqlitePool,
    outbox: SqliteOutbox,
    issuer: Issuer,
    decode: RevocationEvents,
}

impl SqliteMover {
    /// Returns what moves from this outbox in this database to this issuer. One of them is enough, and more do no harm.
    #[must_use]
    pub fn new(pool: SqlitePool, outbox: SqliteOutbox, issuer: Issuer) -> Self {
        Self {
            decode: RevocationEvents::from_source(&outbox.source),
            pool,
            outbox,
            issuer,
        }
    }

    /// Moves whatever is committed, for as long as it is polled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: what was not deleted is moved again.
    pub async fn run(self) {
        loop {
            match self.move_some().await {
                Ok(0) => {
                    let _ = timeout(PAUSE, self.outbox.committed.notified()).await;
                }
                Ok(_) => {}
                Err(error) => {
                    log::warn!(error = %error_text(&*error), "nothing is moved from the outbox for now");
                    sleep(LONG_PAUSE).await;
                }
            }
        }
    }

    /// Moves all that is committed by now, and returns how many rows that were.
    ///
    /// # Errors
    ///
    /// Fails if the table cannot be read or written, or the issuer does not take a statement. What was not moved is still there.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn move_all(&self) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
        let mut moved = 0;
        loop {
            match self.move_some().await? {
                0 => return Ok(moved),
                some => moved += some,
            }
        }
    }

    async fn move_some(&self) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
        let rows: Vec<(i64, String)> = sqlx::query_as(NEXT)
            .fetch_all(&self.pool)
            .await
            .map_err(OutboxError::from)?;
        let Some((last, _)) = rows.last() else { return Ok(0) };
        let mut statements = Vec::with_capacity(rows.len());
        for (n, event) in &rows {
            match self.read(event) {
                Ok(statement) => statements.push(statement),
                Err(problem) => self.put_aside(*n, &problem).await?,
            }
        }
        // They are polled in their order, and come to the issuer in it; those of one batch share a commit.
        for made in join_all(statements.into_iter().map(|statement| self.issuer.revoke(statement))).await {
            match made {
                // Durable, and published: only the local sink did not take it, which tells so itself.
                Ok(_) | Err(IssuerError::Applied(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        sqlx::query(DONE)
            .bind(last)
            .execute(&self.pool)
            .await
            .map_err(OutboxError::from)?;
        Ok(rows.len() as u64)
    }

    fn read(&self, event: &str) -> Result<Statement, String> {
        match self.decode.read(event.as_bytes()) {
            Ok(Ok(statement)) => Ok(statement),
            Ok(Err(why)) => Err(why.to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Leaves a row where it is, for whoever looks at it, and holds up no other.
    async fn put_aside(&self, n: i64, problem: &str) -> Result<(), OutboxError> {
        log::error!(n, problem, "a row of the outbox is no statement: it stays there");
        sqlx::query(ASIDE).bind(problem).bind(n).execute(&self.pool).await?;
        Ok(())
    }
}

const NEXT: &str = "select n, event from revocation_outbox where problem is null order by n limit 256";
const DONE: &str = "delete from revocation_outbox where n <= ? and problem is null";
const ASIDE: &str = "update revocation_outbox set problem = ? where n = ?";
const PAUSE: Duration = Duration::from_millis(100);
const LONG_PAUSE: Duration = Duration::from_secs(1);
