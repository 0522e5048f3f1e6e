//! The outbox in PostgreSQL.

use std::fmt;
use std::time::Duration;

use sqlx::{PgConnection, PgExecutor};

use crate::outbox::error::OutboxError;
use crate::outbox::event::event_of;
use crate::statements::statement::Statement;

/// The outbox in PostgreSQL 13 or later: a table that gateways read. See the [module](super).
#[derive(Clone, Debug)]
pub struct PostgresOutbox {
    source: Box<str>,
}

/// Says what had been committed at a moment: what a list has to cover that is made after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxMark {
    below: String,
    at: String,
}

/// Says which setting of the server loses what it confirmed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxWarning {
    /// The name of the setting.
    pub setting: String,
    /// What it does.
    pub words: &'static str,
}

impl PostgresOutbox {
    /// The tables, their trigger and the functions that remove rows: a script that may be run again. Their owner runs it.
    pub const DDL: &str = include_str!("../../docs/sql/outbox.postgres.sql");

    /// What adds a statement, for any client: its one value is the text that [`event`](Self::event) returns.
    pub const INSERT: &str = "insert into revocation_outbox (event) values ($1)";

    /// Returns the outbox of an issuer, such as `https://auth.example.com`.
    #[must_use]
    pub fn new(source: &str) -> Self {
        Self { source: source.into() }
    }

    /// Makes the tables, if they are missing, and begins a new log if they were restored into another server. It takes the rights of
    /// their owner; an application that has fewer does without, and somebody else runs the [script](Self::DDL).
    ///
    /// # Errors
    ///
    /// Fails if the script cannot be run. Then nothing was changed.
    pub async fn ensure(&self, connection: &mut PgConnection) -> Result<(), OutboxError> {
        sqlx::raw_sql(Self::DDL).execute(connection).await?;
        Ok(())
    }

    /// Returns the settings of this session that lose what the server confirmed, and logs them.
    ///
    /// # Errors
    ///
    /// Fails if the server cannot be asked.
    pub async fn warnings(&self, connection: &mut PgConnection) -> Result<Vec<OutboxWarning>, OutboxError> {
        let off: Vec<String> = sqlx::query_scalar(LOSING).fetch_all(connection).await?;
        let warning = |setting: String| OutboxWarning {
            words: match &*setting {
                "synchronous_commit" => {
                    "is off: a crash takes back the caller's last commits; those that revoke are synchronous all the same"
                }
                "fsync" => "is off: a crash may lose anything, revocations too",
                _ => "is off: a crash may damage the tables",
            },
            setting,
        };
        let warnings: Vec<_> = off.into_iter().map(warning).collect();
        for warning in &warnings {
            crate::common::log::warn!(%warning, "PostgreSQL may lose what it confirms");
        }
        Ok(warnings)
    }

    /// Returns a statement as the text of a CloudEvent: the value of [`INSERT`](Self::INSERT).
    ///
    /// # Errors
    ///
    /// Fails if nobody could read it, such as a statement about an empty id.
    pub fn event(&self, statement: &Statement) -> Result<String, OutboxError> {
        event_of(&self.source, statement)
    }

    /// Makes a statement in the caller's transaction. Gateways hear of it once that is committed, and never if it is rolled back.
    ///
    /// Also a transaction with `synchronous_commit = off` waits for the disk then: what gateways refuse is never taken back.
    ///
    /// # Errors
    ///
    /// Fails if the row cannot be added, or if nobody could read the statement.
    pub async fn enqueue<'c>(&self, executor: impl PgExecutor<'c>, statement: &Statement) -> Result<(), OutboxError> {
        let event = self.event(statement)?;
        sqlx::query(Self::INSERT).bind(event).execute(executor).await?;
        Ok(())
    }

    /// Removes what was committed longer ago than the retention, and returns how many rows that were. To be called every minute or so,
    /// by anybody: each call also notes what is committed by then, and what is noted is removed once it is old enough.
    ///
    /// Replicas that were away for longer have a gap: they take a list.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub async fn trim<'c>(&self, executor: impl PgExecutor<'c>, retention: Duration) -> Result<u64, OutboxError> {
        let removed: i64 = sqlx::query_scalar("select revocation_outbox_trim(make_interval(secs => $1))")
            .bind(retention.as_secs_f64())
            .fetch_one(executor)
            .await?;
        Ok(removed.unsigned_abs())
    }

    /// Returns what is committed by now. Call it before a list is made: once that list is where gateways fetch it, it covers all that
    /// lies before this mark, which may be [removed](Self::trim_covered).
    ///
    /// # Errors
    ///
    /// Fails if the server cannot be asked.
    pub async fn mark<'c>(&self, executor: impl PgExecutor<'c>) -> Result<OutboxMark, OutboxError> {
        let (below, at) = sqlx::query_as(MARK).fetch_one(executor).await?;
        Ok(OutboxMark { below, at })
    }

    /// Removes what a list covers, and returns how many rows that were. Replicas that had not read them have a gap: they take the list.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written, or if the mark was made by another server.
    pub async fn trim_covered<'c>(&self, executor: impl PgExecutor<'c>, mark: &OutboxMark) -> Result<u64, OutboxError> {
        let removed: i64 = sqlx::query_scalar(TRIM_BELOW)
            .bind(&mark.below)
            .bind(&mark.at)
            .fetch_one(executor)
            .await?;
        Ok(removed.unsigned_abs())
    }
}

impl fmt::Display for OutboxWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.setting, self.words)
    }
}

const LOSING: &str = "\
select name from pg_settings \
where name in ('synchronous_commit', 'fsync', 'full_page_writes') and setting = 'off' order by name";

const MARK: &str = "select pg_snapshot_xmin(pg_current_snapshot())::text, clock_timestamp()::text";

const TRIM_BELOW: &str = "select revocation_outbox_trim_below($1::text::xid8, $2::text::timestamptz)";
