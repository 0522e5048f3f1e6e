//! Histories with restarts in them, against the naive model of the state that `tests/it` holds the crate to.

#[allow(dead_code, reason = "not all of it is asked here")]
#[path = "../../it/model/naive.rs"]
mod naive;
#[path = "../../it/model/process.rs"]
mod process;
mod restarts;
#[path = "../../it/model/statement.rs"]
mod statement;
