//! Clawdentity's signed revocation list.

mod list;
mod careful;
mod quick;
mod issuer;
mod keys;
mod body;

pub use list::ClawdentityList;
