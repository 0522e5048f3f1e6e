//! The parts of `src/journal` that say what is written, what is read and what may go.

#[path = "../../src/journal/book.rs"]
mod book;
pub(crate) mod disk;
#[path = "../../src/journal/error.rs"]
mod error;
#[path = "../../src/journal/order.rs"]
mod order;
#[path = "../../src/journal/print.rs"]
mod print;
#[path = "../../src/journal/row.rs"]
mod row;
#[path = "../../src/journal/sweep.rs"]
mod sweep;
#[path = "../../src/journal/witness.rs"]
mod witness;
