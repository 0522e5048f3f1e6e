//! Clawdentity's signed revocation list.

mod list;
mod claims;
mod issuer;
mod keys;
mod body;

pub use list::ClawdentityList;
