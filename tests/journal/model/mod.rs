//! Histories with restarts in them, against the naive model of the state that `tests/api` holds the crate to.

#[allow(dead_code, reason = "not all of it is asked here")]
#[path = "../../support/model/naive.rs"]
mod naive;
#[path = "../../support/model/process.rs"]
mod process;
mod restarts;
#[path = "../../support/model/statement.rs"]
mod statement;
