//! Revokes in the caller's own transaction (features `outbox-postgres` and `outbox-sqlite`).
//!
//! The row that says "logged out" and the statement that tells every gateway are committed together, or neither is. There is no moment in
//! which a crash leaves one without the other.
//!
//! ```no_run
//! # #[cfg(feature = "outbox-postgres")] {
//! use tower_revocation::outbox::{OutboxError, PostgresOutbox, sqlx};
//! use tower_revocation::{Statement, Subject};
//!
//! async fn log_out(pool: &sqlx::PgPool, outbox: &PostgresOutbox, session: &str) -> Result<(), OutboxError> {
//!     let mut tx = pool.begin().await?;
//!     sqlx::query("delete from sessions where id = $1").bind(session).execute(&mut *tx).await?;
//!     outbox.enqueue(&mut *tx, &Statement::block(Subject::session(session))).await?;
//!     tx.commit().await?;
//!     Ok(())
//! }
//! # }
//! ```
//!
//! With another client, or another major of `sqlx`, run [`PostgresOutbox::INSERT`] or [`SqliteOutbox::INSERT`] in the transaction, with
//! the text that `event` returns as its one value.
//!
//! - In PostgreSQL, gateways [read the table](crate::source) themselves (feature `postgres`). No broker is needed.
//! - In SQLite, the same process is the issuer: a [`SqliteMover`] hands the rows on to it.
//!
//! # Stability
//!
//! The client is the [`sqlx`] crate's, and is given out again here. A major release of that crate is a minor release of this one.

#[cfg(feature = "outbox-sqlite")]
mod mover;
#[cfg(feature = "outbox-postgres")]
mod postgres;
#[cfg(feature = "outbox-sqlite")]
mod sqlite;
mod event;
mod error;

pub use ::sqlx;
pub use error::OutboxError;
#[cfg(feature = "outbox-sqlite")]
pub use mover::SqliteMover;
#[cfg(feature = "outbox-postgres")]
pub use postgres::{OutboxMark, OutboxWarning, PostgresOutbox};
#[cfg(feature = "outbox-sqlite")]
pub use sqlite::SqliteOutbox;
