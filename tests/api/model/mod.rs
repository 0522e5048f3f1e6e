//! The state against a naive model of it: whatever is said, in any order, they agree on every decision.

mod convergence;
mod history;
mod naive;
mod process;
mod statement;
