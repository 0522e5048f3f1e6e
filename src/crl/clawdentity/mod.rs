//! Clawdentity's signed revocation list.

mod list;
mod fast_path;
mod diagnose;
mod issuer;
mod keys;
mod body;

pub use list::ClawdentityList;
