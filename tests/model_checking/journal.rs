//! The parts of `src/journal` that say what is written, what is read and what may go.

#[path = "../../src/journal/database.rs"]
mod database;
pub(crate) mod disk;
#[path = "../../src/journal/page.rs"]
mod page;
#[path = "../../src/journal/error.rs"]
mod error;
#[path = "../../src/journal/request.rs"]
mod request;
#[path = "../../src/journal/digest.rs"]
mod digest;
#[path = "../../src/journal/row.rs"]
mod row;
#[path = "../../src/journal/expiry.rs"]
mod expiry;
#[path = "../../src/journal/commit_count.rs"]
mod commit_count;
