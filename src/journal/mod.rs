//! Keeps what is known across restarts.
//!
//! Without a journal everything lives in memory: after a restart, what only events said is forgotten until the feed says it
//! again, and which list was the newest is forgotten too. A [`Journal`] keeps both in a directory of its own:
//!
//! - **Events**: an event is acknowledged (`apply` returns, `ingest` says `applied`) when it is on disk. It is in force
//!   before that, and stays so if writing fails: then the answer is "retry", and the service goes on.
//! - **The list**, as the issuer signed it, and the signing keys. The list is verified again when it is loaded. It grows older
//!   while no process runs, and no older list is ever installed again.
//!
//! ```no_run
//! use tower_revocation::journal::Journal;
//! use tower_revocation::{RevocationLayer, identify};
//!
//! # fn start() -> Result<(), tower_revocation::journal::JournalError> {
//! // This comes first: the journal has the secrets that keys are made with.
//! let journal = Journal::open("/var/lib/gateway/revocation")?;
//! let (layer, sink) = RevocationLayer::pair(identify::jwt(http::header::AUTHORIZATION, "Bearer"));
//! // From here on, what earlier processes kept is in force, and what this process learns is kept.
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
//! It belongs to one process at a time: a second one that opens it gets an error. In it are
//!
//! | File | What |
//! |---|---|
//! | `journal.redb` | What events said, and what goes with the list: a [redb](https://docs.rs/redb) database. |
//! | `list` | The issuer's last good list, as it was fetched. |
//! | `sequence` | How many commits the database has seen, in decimal digits. It shows if the database has lost some. |
//! | `lock` | Which process holds the directory. |
//! | `*.damaged` | Files that were of no use at a start that went on without them. |
//!
//! For a moment there may also be `*.new` (a file that is not whole yet), `loss` (while something is set aside), and `probe.*`.
//!
//! After a failed sync nobody knows which part of the file is on the disk. So everything is written again, to another file that
//! takes the place of the old one.
//!
//! Entries are removed when they expire, or when the kept list says the same. Their room is used again, so the size of the file
//! depends on the largest number of entries that it ever held at a time.
//!
//! # Security
//!
//! Keys are kept as fingerprints, never as text. But the secrets that make the fingerprints are in the same database, so
//! somebody who reads it can test whether a guessed id is in it. Somebody who can write to the directory can remove
//! revocations: files that another user owns or may write are refused (on Unix). Only the issuer can add a list, unless an
//! attacker puts other keys beside it; a [`ListFormat`](crate::crl::ListFormat) that verifies with keys of the host's own
//! rules that out. An older copy of the whole directory cannot be recognized; `max_age` limits the damage.

mod handle;
mod list_file;
mod writer;
mod expiry;
mod request;
mod backoff;
mod open;
mod recovery;
mod database;
mod page;
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
