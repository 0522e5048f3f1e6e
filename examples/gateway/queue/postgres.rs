//! The outbox table of PostgreSQL.

use tower_revocation::source::postgres::PostgresSource;
use tower_revocation::source::postgres::sqlx::{self, Connection as _, PgConnection};

use crate::Failure;

/// A connection to add rows with.
pub(crate) struct Connection(PgConnection);

impl Connection {
    /// Makes the tables, if they are missing.
    pub(crate) async fn open(url: &str) -> Result<Self, Failure> {
        let mut connection = PgConnection::connect(url).await?;
        sqlx::raw_sql(DDL).execute(&mut connection).await?;
        Ok(Self(connection))
    }

    pub(crate) async fn publish(&mut self, message: &[u8]) -> Result<(), Failure> {
        sqlx::query("insert into revocation_outbox (event) values ($1)")
            .bind(std::str::from_utf8(message)?)
            .execute(&mut self.0)
            .await?;
        Ok(())
    }
}

/// The feed of one gateway. The server need not be there yet.
pub(crate) fn source(url: &str, dead_letters: Option<&str>) -> Result<PostgresSource, Failure> {
    let source = PostgresSource::new(url.parse()?);
    Ok(match dead_letters {
        // They have a table of their own, whatever the name says.
        Some(_) => source.with_dead_letters(),
        None => source,
    })
}

const DDL: &str = include_str!("../../../docs/sql/outbox.postgres.sql");
