//! The outbox table of PostgreSQL as a feed, without a broker (feature `postgres`).
//!
//! An application [revokes in its own transaction](https://docs.rs/crate/tower-revocation/latest/source/docs/OUTBOX.md): it adds a row to
//! the table `revocation_outbox`. Every replica reads that table by itself. `LISTEN` wakes it, and it asks once a second as well.
//!
//! ```no_run
//! # use tower_revocation::source::{self, postgres::{PostgresSource, sqlx}};
//! # use tower_revocation::{Decode, EventSink};
//! # fn example(decode: impl Decode + Send + Sync + 'static, sink: EventSink) -> Result<(), sqlx::Error> {
//! let options = "postgres://gateway@db.internal/shop".parse()?;
//! let table = PostgresSource::new(options).with_dead_letters();
//! tokio::spawn(source::drive(table, decode, sink).run());
//! # Ok(())
//! # }
//! ```
//!
//! The tables are made by `docs/sql/outbox.postgres.sql`, in a schema of the role's `search_path`. The role reads `revocation_outbox` and
//! `revocation_log`, and adds to `revocation_dead_letters` if it stores dead letters; `docs/OUTBOX.md` has the grants. It takes two
//! connections of a replica, and sessions of its own: a pooler that shares sessions by transaction passes no notifications on.
//!
//! # What is noticed
//!
//! Transactions commit in another order than that in which they take their numbers. So what lies above the oldest transaction that
//! still runs is not final: it is put in force at once, and comes again with a position once it is final. A transaction of another table
//! that runs for hours holds up nothing.
//!
//! - Rows that were removed before this replica read them, if whoever removed them wrote that into `revocation_log`: a gap.
//! - A table that was set back, from a copy of the server or from a dump, or made anew: a gap, since the last row that was read is not
//!   there, or the table has another name for itself.
//! - A table that was restored into another server, whose transactions have smaller numbers: nothing is read until
//!   `revocation_outbox_renew()` was called.
//!
//! A first opening reads the whole table. It is a gap if the table is younger than the list, or rows were removed since. The time of a row is
//! not asked: a transaction may have lasted long.
//!
//! # Standbys
//!
//! A hot standby can be read too; nothing wakes its readers, and they ask once a second. The feed is live only while the standby has
//! replayed something of the last two seconds: have the primary commit something every second.
//!
//! # Credentials and TLS
//!
//! Both are the client's own. For TLS, turn on one of the features of the `sqlx` crate, such as `tls-rustls-ring-webpki`. For passwords that
//! are replaced while the program runs, give the source what makes the options: [`PostgresSource::connecting`].
//!
//! # Stability
//!
//! The client is the [`sqlx`] crate's, and is given out again here. A major release of that crate is a minor release of this one.
//!
//! # Security
//!
//! Whoever may insert into the table may revoke. With `fsync = off`, or on a standby that is promoted before it has everything, a
//! revocation can be lost that was read by nobody, and nothing shows that.

mod source;
mod reader;
mod continuity;
mod query;
mod early_rows;
mod place;
mod delivery;
mod dead_letters;
mod connection;

pub use ::sqlx;
pub use delivery::PostgresDelivery;
pub use source::PostgresSource;
