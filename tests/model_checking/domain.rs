//! The parts of `src/domain` that the journal needs.

#[path = "../../src/domain/persistence.rs"]
pub(crate) mod persistence;
pub(crate) mod trust_domain;
