//! What of all statements is in force.

use std::collections::HashMap;

use crate::model::event::Reason;
use crate::model::timestamp::Timestamp;
use crate::statements::expiry::is_over;
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
    /// Of all blocks, the one that reaches furthest as a cut-off.
    furthest: Option<StatedLast>,
    cut_off: Option<StatedLast>,
    sparing: Vec<(StatedLast, Vec<Subject>)>,
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
                StatementKind::Block => {
                    of.block = Some(later(of.block, said));
                    of.furthest = Some(further(of.furthest, said));
                }
                StatementKind::CutOff if statement.spared.is_empty() => of.cut_off = Some(further(of.cut_off, said)),
                StatementKind::CutOff => of.sparing.push((said, statement.spared.clone())),
                StatementKind::Reinstate => of.lifted = of.lifted.max(Some(said.at)),
            }
        }
    }

    /// Returns the blocks and cut-offs that gateways may not have forgotten yet, the oldest first.
    pub(super) fn statements(self, now: Timestamp) -> Vec<Statement> {
        let mut all = Vec::with_capacity(self.subjects.len());
        for (subject, said) in self.subjects {
            let (mut block, mut cut_off) = (said.block, said.cut_off);
            if let Some(lifted) = said.furthest.filter(|_| block.map(|block| block.at) < said.lifted) {
                // It stays as a cut-off at its own time: what was issued before it does not come back.
                (block, cut_off) = (None, Some(further(cut_off, lifted)));
            }
            let blocks = block.map(|said| (StatementKind::Block, said, Vec::new()));
            let cut_offs = cut_offs(cut_off, said.sparing).into_iter();
            let cut_offs = cut_offs.map(|(said, spared)| (StatementKind::CutOff, said, spared));
            let in_force = blocks.into_iter().chain(cut_offs);
            let in_force = in_force.filter(|(_, said, _)| said.forget_at.is_none_or(|at| !is_over(at, now)));
            all.extend(in_force.map(|(kind, said, spared)| Statement {
                at: said.at,
                reason: said.reason,
                forget_at: said.forget_at,
                spared,
                ..Statement::of(kind, subject.clone())
            }));
        }
        all.sort_by(|one, other| order(one).cmp(&order(other)));
        all
    }
}

/// What statements are sorted by: the same ones are always in the same order.
fn order(statement: &Statement) -> (Timestamp, &'static str, Option<&str>, &str, bool) {
    let subject = &statement.subjects[0];
    let (kind, name, id) = name(subject);
    (statement.at, kind, name, id, statement.kind == StatementKind::Block)
}

fn name(subject: &Subject) -> (&'static str, Option<&str>, &str) {
    (subject.kind().as_str(), subject.name(), subject.id())
}

/// What cut-offs add up to: the greatest one, and those that refuse what it spares. There are no more of them than it spares, and one.
fn cut_offs(plain: Option<StatedLast>, sparing: Vec<(StatedLast, Vec<Subject>)>) -> Vec<(StatedLast, Vec<Subject>)> {
    let mut all = sparing;
    all.extend(plain.map(|plain| (plain, Vec::new())));
    // Of two of one time, what only one of them spares is refused. The rest of the order keeps it the same for any order of statements.
    all.sort_by_key(|(said, spared)| (reach(*said), said.reason, said.forget_at, spared.len()));
    let mut left: Vec<(StatedLast, Vec<Subject>)> = Vec::new();
    for (said, mut spared) in all.into_iter().rev() {
        let Some((above, spared_above)) = left.last_mut() else {
            spared.sort_by(|one, other| name(one).cmp(&name(other)));
            left.push((said, spared));
            continue;
        };
        let still: Vec<_> = spared_above
            .iter()
            .filter(|subject| spared.contains(subject))
            .cloned()
            .collect();
        if still.len() == spared_above.len() {
            // All that is refused by this one is refused by those above it.
            above.forget_at = longer(above.forget_at, said.forget_at);
        } else if reach(*above) == reach(said) {
            above.forget_at = longer(above.forget_at, said.forget_at);
            *spared_above = still;
        } else {
            left.push((said, still));
        }
    }
    left
}

/// The later of two, for the longer time of both.
fn later(one: Option<StatedLast>, other: StatedLast) -> StatedLast {
    let Some(one) = one else { return other };
    let forget_at = longer(one.forget_at, other.forget_at);
    let later = if other.at >= one.at { other } else { one };
    StatedLast { forget_at, ..later }
}

/// The one of two that reaches further as a cut-off, for the longer time of both.
fn further(one: Option<StatedLast>, other: StatedLast) -> StatedLast {
    let Some(one) = one else { return other };
    let forget_at = longer(one.forget_at, other.forget_at);
    let further = if reach(other) >= reach(one) { other } else { one };
    StatedLast { forget_at, ..further }
}

/// `None` is longer than any time.
fn longer(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.zip(other).map(|(one, other)| one.max(other))
}

/// Up to when it cuts off. A whole second stands for all of it.
fn reach(said: StatedLast) -> u64 {
    let millis = said.at.as_unix_millis();
    if millis.is_multiple_of(1000) {
        millis.saturating_add(999)
    } else {
        millis
    }
}

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
    fn what_is_over_leaves_two_minutes_later() {
        let until = |secs| Statement::block(session()).at(at(1)).forget_at(at(secs));
        assert_eq!(in_force(&[until(880)]).len(), 1, "verifiers may still take its token");
        assert_eq!(in_force(&[until(879)]).len(), 0);
        assert_eq!(in_force(&[until(900), until(950)]), [until(950)]);
        let for_ever = Statement::block(session()).at(at(1));
        assert_eq!(in_force(&[until(900), for_ever.clone()]), [for_ever]);
    }

    #[test]
    fn what_is_spared_is_in_force_as_long_as_nothing_else_refuses_it() {
        let plain = |secs| Statement::cut_off(session()).at(at(secs));
        let kept = |secs| plain(secs).sparing(Subject::token("a"));
        let both = |secs| kept(secs).sparing(Subject::token("b"));
        assert_eq!(in_force(&[kept(3)]), [kept(3)]);
        assert_eq!(in_force(&[kept(3), plain(4)]), [plain(4)]);
        assert_eq!(in_force(&[kept(3), plain(2)]), [plain(2), kept(3)]);
        assert_eq!(in_force(&[kept(3), kept(2), plain(1)]), [plain(1), kept(3)]);
        assert_eq!(in_force(&[both(3), kept(2), plain(1)]), [plain(1), kept(2), both(3)]);
        assert_eq!(in_force(&[kept(3), both(2), plain(1)]), [plain(1), kept(3)]);
        assert_eq!(
            in_force(&[kept(3), plain(3)]),
            [plain(3)],
            "of one time, and not spared by both"
        );
        let other = plain(2).sparing(Subject::token("c"));
        assert_eq!(in_force(&[kept(3), other]), [plain(2), kept(3)]);
        let block = Statement::block(session()).at(at(2));
        let lifted = Statement::reinstate(session()).at(at(9));
        assert_eq!(in_force(&[kept(3), block, lifted]), [plain(2), kept(3)]);
    }

    /// As in a gateway: what is stated for a whole second reaches to its end.
    #[test]
    fn the_cut_off_that_reaches_furthest_counts() {
        let cut_off = |millis| Statement::cut_off(session()).at(Timestamp::from_unix_millis(millis));
        assert_eq!(in_force(&[cut_off(5_000), cut_off(5_250)]), [cut_off(5_000)]);
        let block = |millis| Statement::block(session()).at(Timestamp::from_unix_millis(millis));
        let lifted = Statement::reinstate(session()).at(at(9));
        assert_eq!(in_force(&[block(5_000), block(5_250), lifted]), [cut_off(5_000)]);
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
