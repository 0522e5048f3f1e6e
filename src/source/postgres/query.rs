//! What is asked of the server: one statement each time, so that all that it answers is of one moment.

use std::time::Duration;

use serde::Deserialize;
use sqlx::{Error, PgConnection};

use crate::source::postgres::early_rows::EarlyRows;
use crate::source::postgres::place::OutboxPlace;

/// What the table was at one moment.
pub(super) struct OutboxLook {
    pub(super) facts: OutboxFacts,
    /// Rows whose places are final, in order; as many as were asked for, or all.
    pub(super) rows: Vec<OutboxRow>,
    /// Rows that are there, whose places are not final.
    pub(super) early: Vec<OutboxRow>,
}

/// A row, and where it lies.
pub(super) struct OutboxRow {
    pub(super) place: OutboxPlace,
    pub(super) event: String,
}

/// What the server says of the table beside its rows.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct OutboxFacts {
    /// The name that the table has for itself.
    pub(super) log: String,
    trimmed_xid: String,
    trimmed_n: i64,
    /// When the table was made, and when everything that was removed had been committed, in milliseconds.
    pub(super) began: u64,
    pub(super) trimmed_at: Option<u64>,
    /// The transactions that are visible.
    pub(super) now: String,
    /// The transaction of the newest row.
    newest: Option<String>,
    /// What lies at the place after which was asked.
    pub(super) last: Option<String>,
    is_standby: bool,
    /// How long ago that was committed which a standby replayed last, in milliseconds.
    replayed: Option<f64>,
}

impl OutboxFacts {
    pub(super) fn trimmed(&self) -> OutboxPlace {
        OutboxPlace {
            xid: number(Some(&self.trimmed_xid)),
            n: self.trimmed_n,
        }
    }

    /// The number that the next transaction gets.
    pub(super) fn next_xid(&self) -> u64 {
        number(self.now.split(':').nth(1))
    }

    /// Whether there are rows of transactions that are still to come: then the table is another server's.
    pub(super) fn is_foreign(&self) -> bool {
        number(self.newest.as_deref()) >= self.next_xid()
    }

    /// How much this copy may be behind; `None` if it is no copy.
    pub(super) fn behind(&self) -> Option<Duration> {
        let millis = self.replayed.unwrap_or(f64::MAX).clamp(0.0, 1e12);
        self.is_standby.then(|| Duration::from_secs_f64(millis / 1_000.0))
    }
}

/// Looks at the table, and reads what comes after a place.
pub(super) async fn look(
    connection: &mut PgConnection,
    after: OutboxPlace,
    early: &EarlyRows,
    most: usize,
) -> Result<OutboxLook, Error> {
    let rows: Vec<(i32, Option<String>, Option<i64>, String)> = sqlx::query_as(LOOK)
        .bind(after.xid.to_string())
        .bind(after.n)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .bind(early.given())
        .bind(early.page())
        .bind(early.after().xid.to_string())
        .bind(early.after().n)
        .fetch_all(connection)
        .await?;
    let (mut facts, mut final_rows, mut early_rows) = (None, Vec::new(), Vec::new());
    for (part, xid, n, event) in rows {
        let place = OutboxPlace {
            xid: number(xid.as_deref()),
            n: n.unwrap_or_default(),
        };
        match part {
            0 => facts = serde_json::from_str(&event).map_err(|error| Error::Decode(error.into()))?,
            1 => final_rows.push(OutboxRow { place, event }),
            _ => early_rows.push(OutboxRow { place, event }),
        }
    }
    Ok(OutboxLook {
        facts: facts.ok_or(Error::RowNotFound)?,
        rows: final_rows,
        early: early_rows,
    })
}

/// Reads what lies at a place.
pub(super) async fn there(connection: &mut PgConnection, place: OutboxPlace) -> Result<Option<String>, Error> {
    sqlx::query_scalar("select event from revocation_outbox where xid = $1::text::xid8 and n = $2")
        .bind(place.xid.to_string())
        .bind(place.n)
        .fetch_optional(connection)
        .await
}

/// Prepares a session, and returns those of its settings that lose what was committed.
pub(super) async fn prepare(connection: &mut PgConnection) -> Result<Vec<String>, Error> {
    // The order of the primary key is the only way to read a page of a table without looking at all of it.
    for setting in [
        "set enable_seqscan = off",
        "set enable_bitmapscan = off",
        // What was turned off counts as dear, and what is dear would be compiled: for a quarter of a second.
        "set jit = off",
        "set max_parallel_workers_per_gather = 0",
    ] {
        sqlx::query(setting).execute(&mut *connection).await?;
    }
    sqlx::query_scalar(LOSING).fetch_all(connection).await
}

/// Anything else than a number is none that a row can have.
fn number(text: Option<&str>) -> u64 {
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

const LOOK: &str = "\
with log as materialized (select *, pg_current_snapshot() as now from revocation_log) \
select 0 as part, null::text as xid, null::bigint as n, json_build_object(\
'log', log::text, 'trimmed_xid', trimmed_xid::text, 'trimmed_n', trimmed_n, \
'began', (extract(epoch from began) * 1000)::bigint, 'trimmed_at', (extract(epoch from trimmed_at) * 1000)::bigint, \
'now', now::text, 'is_standby', pg_is_in_recovery(), \
'replayed', extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())::float8 * 1000, \
'newest', (select xid::text from revocation_outbox order by xid desc, n desc limit 1), \
'last', (select event from revocation_outbox where xid = $1::text::xid8 and n = $2))::text as event from log union all \
select 1, r.xid::text, r.n, r.event from log, lateral (\
select o.xid, o.n, o.event from revocation_outbox o \
where o.xid < pg_snapshot_xmin(log.now) and (o.xid, o.n) > ($1::text::xid8, $2) order by o.xid, o.n limit $3) r union all \
select 2, r.xid::text, r.n, r.event from log, lateral (\
select o.xid, o.n, o.event from revocation_outbox o \
where o.xid >= pg_snapshot_xmin(log.now) and (o.xid, o.n) > ($6::text::xid8, $7) \
and not pg_visible_in_snapshot(o.xid, $4::text::pg_snapshot) \
and ($5::text is null or pg_visible_in_snapshot(o.xid, $5::text::pg_snapshot)) order by o.xid, o.n limit $3) r";

const LOSING: &str = "\
select name from pg_settings \
where name in ('synchronous_commit', 'fsync', 'full_page_writes') and setting = 'off' order by name";
