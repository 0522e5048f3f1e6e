//! The open format of revocations: CloudEvents, each with its place in its issuer's own log.
//!
//! [`cloud_event`] writes one that has no place; a [`LogWriter`] writes those of a log. [`RevocationEvents`] reads all of them.
//!
//! # The log
//!
//! No broker can prove that nothing is missing: it may lose what it confirmed, and then go on under the same name with the same
//! numbers. An issuer's own numbers can, whatever lies between. Its messages state, as attributes of the CloudEvent:
//!
//! | attribute | meaning |
//! |---|---|
//! | `log` | the log: 16 random bytes |
//! | `n` | the message's number in it: 1, 2, 3 and so on, as text |
//! | `prev` | the digest of the message before it |
//! | `afterlog`, `aftern`, `afterdigest` | in the first message: the log that this one continues, and how far that one went |
//!
//! The digest of a message is the first 16 bytes of a SHA-256 ([FIPS 180-4](https://doi.org/10.6028/NIST.FIPS.180-4)) over `log`;
//! `n` as 8 bytes, the highest first; `prev` (16 bytes of zero in the first message); one byte that is 1 if the log continues
//! another one and 0 if not, and in the first case `afterlog`, `aftern` and `afterdigest`, written the same way; then `id`, `source`,
//! `type` and `time`, each behind its length in 8 bytes; and `data` as [RFC 8785](https://www.rfc-editor.org/rfc/rfc8785) writes
//! it. So it stays the same if a router writes the JSON in another way. `data` holds no numbers.
//!
//! A heartbeat (`rs.tower-revocation.heartbeat`) takes no number. It states where the log ends: `n` is the last number, and `prev`
//! that message's digest. `data.every_ms` says in how many milliseconds the next one comes.
//!
//! # Security
//!
//! The log shows accidents, not attacks: whoever may publish may begin a log.

mod log_writer;
mod cloud_event;
mod events;
mod log_attributes;
mod content;
mod event_type;
mod members;
mod member_tree;

pub use cloud_event::cloud_event;
pub use events::RevocationEvents;
pub use log_writer::LogWriter;
