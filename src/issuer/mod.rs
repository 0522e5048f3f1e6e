//! The issuer's end: makes statements durable, publishes them to a broker in order, and proves that none is missing.
//!
//! ```
//! use tower_revocation::issuer::{Issuer, MemoryPublisher};
//! use tower_revocation::source::Memory;
//! use tower_revocation::{Statement, Subject};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let directory = directory.path().join("issuer");
//! // A broker's publisher in its place.
//! let log = Memory::new("revocations");
//! let issuer = Issuer::open(directory, "https://auth.example.com")?.publishing_to(MemoryPublisher::new(&log));
//!
//! // When somebody logs out: it is on disk when this returns, and is published from then on.
//! issuer.revoke(Statement::block(Subject::session("s-1"))).await?;
//! # issuer.published().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//!
//! - `revoke` returns once the statement is on disk. Whatever happens then, it is published: once confirmed by the broker, and read back
//!   from it. A kill at any moment loses nothing and makes nothing up; at most a message comes twice, as the very same one.
//! - Messages are [numbered without a hole](crate::format::revocation). A heartbeat says each second where the log ends. So a reader
//!   knows whether it has everything, whatever lies between.
//! - A broker that goes back behind what it confirmed is found out, at the next message or heartbeat. Then a new log begins behind what the
//!   broker still holds, and everything from there on is published again, unless a list covers it.
//! - The same holds for the issuer's own database: what only the broker knows is taken from there, and said as a
//!   [concern](IssuerConcernCode::StoreWentBack).
//! - A statement is kept until a list [covers](Issuer::covered) it and its own time is over, and a minute longer. Without a time it is
//!   kept for ever: set [`forget_at`](crate::Statement::forget_at) to the latest `exp` of whatever it revokes.
//!
//! # The directory
//!
//! It belongs to one process at a time. In it are `issuer.redb`, a [redb](https://docs.rs/redb) database, and `lock`. After a failed write
//! the store may refuse all that follow, until a restart.
//!
//! # Security
//!
//! Whoever may write to the directory may revoke anybody, and so may whoever may publish to the broker: events are not signed. Ids are kept
//! as text.

mod publishers;
#[cfg(feature = "logout")]
mod statement_relay;
mod handle;
mod relay;
mod broker_log;
mod pending;
mod canary;
mod shared;
mod issuer_status;
mod relay_state;
mod trouble;
mod judgement;
mod effective;
mod config;
mod store;
mod id;
mod publisher;
mod error;

pub use config::{ATTEMPT_TIMEOUT, DEFAULT_HEARTBEAT};
pub use error::IssuerError;
pub use handle::Issuer;
pub use issuer_status::{IssuerConcern, IssuerConcernCode, IssuerStatus};
pub use publisher::{Confirmed, OutgoingMessage, Promise, PromiseWarning, PublishError, Publisher, is_from};
pub use publishers::*;
