//! What doors share through which other parties' statements come in.

pub(crate) mod relay_statements;

pub use relay_statements::RelayStatements;
