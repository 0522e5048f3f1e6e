//! What requests present, and what is decided of them.

mod decide;
mod doubtful;
pub(crate) mod presented;
