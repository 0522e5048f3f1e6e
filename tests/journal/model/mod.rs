//! Histories with restarts in them, against the naive model of the state that `tests/api` holds the crate to.

#[allow(dead_code, reason = "not all of it is asked here")]
#[path = "../../api/model/naive.rs"]
mod naive;
#[path = "../../api/model/process.rs"]
mod process;
mod restarts;
#[path = "../../api/model/statement.rs"]
mod statement;
