//! What of all statements is in force.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::event::Reason;
use crate::model::timestamp::Timestamp;
use crate::statements::statement::{Statement, StatementKind};
use crate::statements::subject::Subject;

/// Statements about subjects, as they add up: of each subject the latest block, the greatest cut-off and the latest reinstatement
/// count, as in a gateway.
#[derive(Debug, Default)]
pub(super) struct Effective {
    subjects: HashMap<Subject, SaidOfSubject>,
}

#[derive(Debug, Default)]
struct SaidOfSubject {
    block: Option<StatedLast>,
    cut_off: Option<StatedLast>,
    lifted: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct StatedLast {
    at: Timestamp,
    reason: Reason,
    /// `None` is longer than any time.
    forget_at: Option<Timestamp>,
}

impl Effective {
    /// Adds a statement. The order does not matter.
    pub(super) fn add(&mut self, statement: &Statement) {
        let said = StatedLast {
            at: statement.at,
            reason: statement.reason,
            forget_at: statement.forget_at,
        };
        for subject in &statement.subjects {
            let of = self.subjects.entry(subject.clone()).or_default();
            match statement.kind {
                StatementKind::Block => of.block = Some(later(of.block, said)),
                StatementKind::CutOff => of.cut_off = Some(later(of.cut_off, said)),
                StatementKind::Reinstate => of.lifted = of.lifted.max(Some(said.at)),
            }
        }
    }

    /// Returns the blocks and cut-offs that gateways may not have forgotten yet, the oldest first.
    pub(super) fn statements(self, now: Timestamp) -> Vec<Statement> {
        let mut all = Vec::with_capacity(self.subjects.len());
        for (subject, said) in self.subjects {
            let (mut block, mut cut_off) = (said.block, said.cut_off);
            if let Some(lifted) = block.filter(|block| Some(block.at) < said.lifted) {
                // It stays as a cut-off at its own time: what was issued before it does not come back.
                (block, cut_off) = (None, Some(later(cut_off, lifted)));
            }
            for (kind, said) in [(StatementKind::Block, block), (StatementKind::CutOff, cut_off)] {
                let said = said.filter(|said| said.forget_at.is_none_or(|at| !is_over(at, now)));
                all.extend(said.map(|said| Statement {
                    at: said.at,
                    reason: said.reason,
                    forget_at: said.forget_at,
                    ..Statement::of(kind, subject.clone())
                }));
            }
        }
        all.sort_by(|one, other| order(one).cmp(&order(other)));
        all
    }
}

/// What statements are sorted by: the same ones are always in the same order.
fn order(statement: &Statement) -> (Timestamp, &'static str, Option<&str>, &str, bool) {
    let subject = &statement.subjects[0];
    let (kind, is_block) = (subject.kind().as_str(), statement.kind == StatementKind::Block);
    (statement.at, kind, subject.name(), subject.id(), is_block)
}

/// The later of two, for the longer time of both.
fn later(one: Option<StatedLast>, other: StatedLast) -> StatedLast {
    let Some(one) = one else { return other };
    let forget_at = one.forget_at.zip(other.forget_at).map(|(one, other)| one.max(other));
    let later = if other.at >= one.at { other } else { one };
    StatedLast { forget_at, ..later }
}

/// Returns whether nobody takes a token any more that expired at that time.
pub(super) fn is_over(forget_at: Timestamp, now: Timestamp) -> bool {
    forget_at.saturating_add(LEEWAY) < now
}

/// How long some verifiers take a token beyond its `exp`: Nimbus, Spring Security and go-jose do for a minute.
pub(super) const LEEWAY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_unix_secs(secs)
    }

    fn session() -> Subject {
        Subject::session("s")
    }

    fn in_force(statements: &[Statement]) -> Vec<Statement> {
        let add_up = |statements: &mut dyn Iterator<Item = &Statement>| {
            let mut effective = Effective::default();
            statements.for_each(|statement| effective.add(statement));
            effective.statements(at(1_000))
        };
        let one = add_up(&mut statements.iter());
        assert_eq!(one, add_up(&mut statements.iter().rev()), "the order matters");
        one
    }

    #[test]
    fn the_latest_block_counts_and_a_reinstatement_leaves_a_cut_off() {
        let block = |secs| Statement::block(session()).at(at(secs));
        let cut_off = |secs| Statement::cut_off(session()).at(at(secs));
        let reinstate = |secs| Statement::reinstate(session()).at(at(secs));
        assert_eq!(in_force(&[block(1), block(3), block(2)]), [block(3)]);
        assert_eq!(in_force(&[block(3), cut_off(2)]), [cut_off(2), block(3)]);
        assert_eq!(in_force(&[block(3), cut_off(2), reinstate(4)]), [cut_off(3)]);
        assert_eq!(in_force(&[block(3), cut_off(5), reinstate(4)]), [cut_off(5)]);
        assert_eq!(in_force(&[block(3), reinstate(3)]), [block(3)], "a tie refuses");
        assert_eq!(in_force(&[reinstate(3)]), []);
    }

    #[test]
    fn what_is_over_leaves_a_minute_later() {
        let until = |secs| Statement::block(session()).at(at(1)).forget_at(at(secs));
        assert_eq!(in_force(&[until(940)]).len(), 1, "verifiers may still take its token");
        assert_eq!(in_force(&[until(939)]).len(), 0);
        assert_eq!(in_force(&[until(900), until(950)]), [until(950)]);
        let for_ever = Statement::block(session()).at(at(1));
        assert_eq!(in_force(&[until(900), for_ever.clone()]), [for_ever]);
    }

    #[test]
    fn each_subject_of_a_statement_counts_alone() {
        let both = Statement::block(session()).and(Subject::token("t")).at(at(1));
        let left = in_force(&[both, Statement::reinstate(session()).at(at(2))]);
        let kinds: Vec<_> = left.iter().map(|left| (left.kind, left.subjects[0].id())).collect();
        assert_eq!(kinds.len(), 2);
        assert!(kinds.contains(&(StatementKind::CutOff, "s")) && kinds.contains(&(StatementKind::Block, "t")));
    }
}
