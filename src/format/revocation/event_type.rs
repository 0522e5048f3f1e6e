//! The types of events in the format.

use crate::statements::statement::StatementKind;

/// Returns the type of events of this kind.
pub(super) const fn type_of(kind: StatementKind) -> &'static str {
    match kind {
        StatementKind::Block => "rs.tower-revocation.block",
        StatementKind::CutOff => "rs.tower-revocation.cut-off",
        StatementKind::Reinstate => "rs.tower-revocation.reinstate",
    }
}

/// Returns the kind of events of this type.
pub(super) fn kind_of(kind: &str) -> Option<StatementKind> {
    let all = [StatementKind::Block, StatementKind::CutOff, StatementKind::Reinstate];
    all.into_iter().find(|known| type_of(*known) == kind)
}

/// The type of a heartbeat.
pub(super) const HEARTBEAT: &str = "rs.tower-revocation.heartbeat";
