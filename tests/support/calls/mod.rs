//! A server whose calls are revoked at random moments: in front of their handler, within it, or within the body of their
//! response. It counts how often each handler ran.
//!
//! It stands as applications do: axum under the layer, on hyper's server for HTTP/1.0, 1.1 and 2. A call says who it is in
//! `x-call-id`, and presents a token of the same id ([`bearer`]). What becomes of it follows from its id and the seed
//! ([`Plan`]), unless `x-moment` says it: so a run can be repeated, and whoever called knows what had to come.

mod server;
mod admin;
mod handlers;
mod grpc;
mod call;
mod pieces;
mod plan;
mod token;

#[allow(unused_imports, reason = "not all programs call by themselves")]
pub(crate) use call::CALL_ID;
#[allow(unused_imports, reason = "not all programs call by themselves")]
pub(crate) use plan::{MOMENT, RUNNING, WHOLE};
pub(crate) use server::CallServer;
#[allow(unused_imports, reason = "not all programs call by themselves")]
pub(crate) use token::bearer;
