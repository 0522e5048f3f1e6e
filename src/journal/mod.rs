//! Keeping what is known across restarts.
//!
//! Without a journal everything lives in memory: after a restart, what only events said is forgotten until the feed says it
//! again, and which list was the newest is forgotten too. A [`Journal`] keeps both in a directory of its own:
//!
//! - **Events**: an event is answered for (`apply` returns, `ingest` says `applied`) when it is on disk. It is in force
//!   before that, and stays so if writing fails: it is answered by "retry" then, and the service goes on.
//! - **The list**, as the issuer signed it, verified anew when it is loaded, and the signing keys. Its age counts on while no
//!   process runs, and no older list is ever installed again.
//!
//! ```no_run
//! use tower_revocation::journal::Journal;
//! use tower_revocation::{RevocationLayer, identify};
//!
//! # fn start() -> Result<(), tower_revocation::journal::JournalError> {
//! // First of all: it brings the secrets that keys are made with.
//! let journal = Journal::open("/var/lib/gateway/revocation")?;
//! let (layer, sink) = RevocationLayer::pair(identify::jwt(http::header::AUTHORIZATION, "Bearer"));
//! // What earlier processes were told is in force from here on, and what this one is told is kept.
//! sink.keep_in(journal)?;
//! # drop(layer);
//! # Ok(())
//! # }
//! ```
//!
//! With a poller, its [`restore`](crate::crl::Poller::restore) then puts the list in force, before the first fetch.
//!
//! # The directory
//!
//! It belongs to one process at a time: a second one that opens it is told so. In it are
//!
//! | File | What |
//! |---|---|
//! | `journal.redb` | What events said, and what goes with the list: a [redb](https://docs.rs/redb) database. |
//! | `list` | The issuer's last good list, as it was fetched. |
//! | `sequence` | How many commits the database has seen, in decimal digits: one that has lost some is found out. |
//! | `lock` | Which process holds the directory. |
//! | `*.damaged` | What was of no use at a start that went on without it. |
//!
//! Beside them there may be for a moment `*.new`, what is not whole yet, `loss`, while something is set aside, and `probe.*`.
//!
//! After a sync that failed everything is written anew, to another file that takes the place of the old one: nobody knows what of
//! it is on the disk.
//!
//! Entries go as they expire, or as the kept list takes them over; their room is used again, so that the file stays in
//! proportion to the most entries that were ever held at a time.
//!
//! # Security
//!
//! Keys are kept as fingerprints, never as text; but the secrets that make them are in the same database, so whoever reads it can
//! test whether an id that he guesses is in it. Whoever can write to the directory can forget revocations: files that
//! another user owns or may write are refused (on Unix). Nobody but the issuer can add a list, unless he puts keys of his own
//! beside it; a [`ListFormat`](crate::crl::ListFormat) that verifies with keys of the host's own rules that out. An older
//! copy of the whole directory cannot be told from the truth; `max_age` bounds what comes of it.

mod handle;
mod list_file;
mod writer;
mod expiry;
mod request;
mod backoff;
mod open;
mod recovery;
mod database;
mod storage;
mod row;
mod digest;
mod commit_count;
mod directory;
mod error;
#[cfg(test)]
mod tests;

pub use error::JournalError;
pub use open::Journal;
