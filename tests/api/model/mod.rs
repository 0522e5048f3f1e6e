//! The state against a naive model of it: whatever is said, in any order, they agree on every decision.

mod convergence;
mod history;
#[path = "../../support/model/naive.rs"]
mod naive;
#[path = "../../support/model/process.rs"]
mod process;
#[path = "../../support/model/statement.rs"]
mod statement;
