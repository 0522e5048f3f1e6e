//! Serving a signed list of what an issuer has in force, to gateways that fetch it.
//!
//! [`ListServer`] is a tower service over anything that knows what is in force ([`ListSource`](crate::crl::ListSource)). It signs
//! lists of the [open format](crate::crl::open) with a [`Signer`], and publishes its keys beside them.
//!
//! ```
//! use axum::Router;
//! use tower_revocation::list_server::{ListServer, Signer};
//! use tower_revocation::{InForce, Statement, Subject, Timestamp};
//!
//! # async fn revoked_sessions() -> Result<Vec<(String, u64)>, std::io::Error> { Ok(Vec::new()) }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let in_force = || async {
//!     let sessions = revoked_sessions().await?;
//!     let block = |(id, at): &(String, u64)| Statement::block(Subject::session(id)).at(Timestamp::from_unix_secs(*at));
//!     Ok::<_, std::io::Error>(InForce { statements: sessions.iter().map(block).collect(), covers: Vec::new() })
//! };
//! let signer = Signer::generate()?; // in production: Signer::from_pem
//! let lists = ListServer::new("https://auth.example.com", signer, in_force);
//! let app: Router = Router::new().nest_service("/revocations", lists);
//! # drop(app);
//! # Ok(())
//! # }
//! ```

mod service;
mod producer;
mod key_ring;
mod signer;
mod payload;
mod status;

pub use payload::ListPayload;
pub use producer::{DEFAULT_KEY_OVERLAP, DEFAULT_LIFETIME, DEFAULT_LOOK_GAP};
pub use service::{ListServer, ListServerFuture};
pub use signer::{Signer, SignerError};
pub use status::ListServerStatus;
