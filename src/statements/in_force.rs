//! What an issuer has in force.

use crate::model::log_place::LogPosition;
use crate::statements::statement::Statement;

/// Holds what an issuer has in force at one moment, as it knows it from its own database: what its list says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InForce {
    /// The blocks and cut-offs. Reinstatements are left out, together with the blocks that they lifted.
    pub statements: Vec<Statement>,
    /// How much of the issuer's own logs they take into account.
    pub covers: Vec<LogPosition>,
}
