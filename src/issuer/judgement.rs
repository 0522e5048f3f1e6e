//! What is to be done about what the broker holds.

use crate::issuer::store::WrittenLog;
use crate::model::log_place::{LogId, LogPosition};

/// What is to be done about what the broker holds of the issuer's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// The broker holds the log as it was written, and so many statements more, which were under way.
    GoesOn { published: u64 },
    /// The broker holds something else: a new log begins.
    Begins {
        after: Option<LogPosition>,
        /// The first statement that is published in it.
        from: u64,
        why: Why,
    },
}

/// Why a new log begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// There was none.
    First,
    /// The broker does not hold what it confirmed.
    LogWentBack,
    /// The broker holds messages that the issuer's own database does not know: so many, from this index on.
    StoreWentBack { unknown_from: usize },
}

/// A message of the issuer that was read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadBack {
    /// The log up to it; of a heartbeat, where it says that the log ends.
    pub(super) position: LogPosition,
    pub(super) is_heartbeat: bool,
}

/// What the store knows of positions.
pub(super) trait Knowledge {
    type Error;

    /// Where the log would be after so many more of the pending statements.
    fn after_pending(&self, count: u64) -> Result<Option<LogPosition>, Self::Error>;

    /// Which statement was published there, if any is known.
    fn statement_at(&self, position: LogPosition) -> Result<Option<u64>, Self::Error>;
}

/// Judges what was read back, the oldest first.
pub(super) fn judge<K: Knowledge>(log: &WrittenLog, knowledge: &K, read: &[ReadBack]) -> Result<Judgement, K::Error> {
    let Some(position) = log.position else {
        let has_unknown = read.iter().any(|message| !message.is_heartbeat);
        return Ok(Judgement::Begins {
            after: None,
            from: log.cursor,
            why: match has_unknown {
                true => Why::StoreWentBack { unknown_from: 0 },
                false => Why::First,
            },
        });
    };
    let read = &read[..linked(position.log, read)];
    let newest = read.last().map(|message| message.position);
    if let Some(published) = goes_on(log, position, knowledge, newest)? {
        return Ok(Judgement::GoesOn { published });
    }
    let mut known = None;
    for (index, message) in read.iter().enumerate().rev() {
        if let Some(next) = next_after(log, position, knowledge, message.position)? {
            known = Some((index, message.position, next));
            break;
        }
    }
    let unknown_from = known.map_or(0, |(index, _, _)| index + 1);
    let has_unknown = read[unknown_from..].iter().any(|message| !message.is_heartbeat);
    let known = known.map(|(_, position, next)| (position, next));
    let covered = log.covered.map(|covered| (covered.position, covered.sequence + 1));
    // Behind what a list covers, nothing is missing from what is published again. Before it, something may.
    let (after, from) = match (known, covered) {
        (Some(known), Some(covered)) if covered.1 > known.1 => covered,
        (Some(known), _) => known,
        (None, Some(covered)) => covered,
        // All that was ever said is still there, and is published again.
        (None, None) => (LogPosition::beginning(position.log), 0),
    };
    Ok(Judgement::Begins {
        after: Some(after),
        from,
        why: match has_unknown {
            true => Why::StoreWentBack { unknown_from },
            false => Why::LogWentBack,
        },
    })
}

/// How many messages come before the first that does not continue the one before it. A broker that takes no condition may have been set
/// back, and have taken what was published next all the same.
fn linked(log: LogId, read: &[ReadBack]) -> usize {
    let is_linked = |pair: &[ReadBack]| {
        let [before, message] = pair else { return true };
        let before = match before.position {
            position if position.log == log => position.n,
            _ => 0,
        };
        let least = message.position.n.saturating_sub(u64::from(!message.is_heartbeat));
        message.position.log != log || least <= before
    };
    let jump = read.windows(2).position(|pair| !is_linked(pair));
    jump.map_or(read.len(), |jump| jump + 1)
}

/// How many pending statements the broker has, if it holds nothing else than the log.
fn goes_on<K: Knowledge>(
    log: &WrittenLog,
    position: LogPosition,
    knowledge: &K,
    newest: Option<LogPosition>,
) -> Result<Option<u64>, K::Error> {
    let Some(newest) = newest else {
        // Nothing of this log was published, nor anything before it.
        return Ok((position.n == 0 && log.after.is_none()).then_some(0));
    };
    // A new log of which nothing has come yet.
    let is_untouched = position.n == 0 && log.after == Some(newest);
    if newest == position || is_untouched {
        return Ok(Some(0));
    }
    if newest.log != position.log || newest.n <= position.n {
        return Ok(None);
    }
    let more = newest.n - position.n;
    if more > log.pending() {
        return Ok(None);
    }
    Ok((knowledge.after_pending(more)? == Some(newest)).then_some(more))
}

/// Which statement comes behind a position, if the position is known.
fn next_after<K: Knowledge>(
    log: &WrittenLog,
    position: LogPosition,
    knowledge: &K,
    at: LogPosition,
) -> Result<Option<u64>, K::Error> {
    if at == position {
        return Ok(Some(log.cursor));
    }
    if let Some(covered) = log.covered.filter(|covered| covered.position == at) {
        return Ok(Some(covered.sequence + 1));
    }
    Ok(knowledge.statement_at(at)?.map(|sequence| sequence + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issuer::store::CoveredByList;
    use crate::model::log_place::LogDigest;

    /// Statement `n` of log `log` is at sequence `n`, counted from 0; the first `published` are known, and the others are pending.
    struct Known {
        published: u64,
    }

    fn at(log: u8, n: u64) -> LogPosition {
        LogPosition {
            log: LogId::from_bytes([log; 16]),
            n,
            digest: LogDigest::from_bytes([n as u8; 16]),
        }
    }

    fn entry(log: u8, n: u64) -> ReadBack {
        ReadBack {
            position: at(log, n),
            is_heartbeat: false,
        }
    }

    fn heartbeat(log: u8, n: u64) -> ReadBack {
        ReadBack {
            is_heartbeat: true,
            ..entry(log, n)
        }
    }

    impl Knowledge for Known {
        type Error = std::convert::Infallible;

        fn after_pending(&self, count: u64) -> Result<Option<LogPosition>, Self::Error> {
            Ok(Some(at(1, self.published + count)))
        }

        fn statement_at(&self, position: LogPosition) -> Result<Option<u64>, Self::Error> {
            let is_known = position == at(1, position.n) && (1..=self.published).contains(&position.n);
            Ok(is_known.then(|| position.n - 1))
        }
    }

    /// Of ten statements, `published` are.
    fn judged(published: u64, covered: Option<u64>, read: &[ReadBack]) -> Judgement {
        let log = WrittenLog {
            position: Some(at(1, published)),
            after: None,
            cursor: published,
            next: 10,
            covered: covered.map(|n| CoveredByList {
                position: at(1, n),
                sequence: n - 1,
            }),
        };
        let Ok(judgement) = judge(&log, &Known { published }, read);
        judgement
    }

    fn begins(after: LogPosition, from: u64, why: Why) -> Judgement {
        Judgement::Begins {
            after: Some(after),
            from,
            why,
        }
    }

    #[test]
    fn what_was_under_way_is_counted() {
        for (read, published) in [
            (vec![entry(1, 4)], 0),
            (vec![heartbeat(1, 4)], 0),
            (vec![entry(1, 3), entry(1, 4), heartbeat(1, 4), heartbeat(1, 4)], 0),
            (vec![entry(1, 5)], 1),
            (vec![heartbeat(1, 4), entry(1, 5), entry(1, 6)], 2),
            (vec![entry(1, 4), entry(1, 5), entry(1, 4), entry(1, 5)], 1),
            (vec![entry(1, 10)], 6),
        ] {
            assert_eq!(judged(4, None, &read), Judgement::GoesOn { published }, "{read:?}");
        }
    }

    #[test]
    fn a_log_that_went_back_is_continued_behind_what_is_there() {
        let gone = Why::LogWentBack;
        assert_eq!(judged(4, None, &[entry(1, 1), entry(1, 2)]), begins(at(1, 2), 2, gone));
        assert_eq!(
            judged(4, None, &[]),
            begins(LogPosition::beginning(at(1, 0).log), 0, gone)
        );
        assert_eq!(judged(4, Some(3), &[entry(1, 2)]), begins(at(1, 3), 3, gone));
        assert_eq!(judged(4, Some(1), &[entry(1, 2)]), begins(at(1, 2), 2, gone));
        assert_eq!(judged(4, Some(3), &[]), begins(at(1, 3), 3, gone));
    }

    /// The broker took what was published next, although it had lost what came before.
    #[test]
    fn what_does_not_continue_the_one_before_it_does_not_count() {
        let gone = Why::LogWentBack;
        for behind in [heartbeat(1, 4), entry(1, 5), entry(1, 4)] {
            assert_eq!(
                judged(4, None, &[entry(1, 1), entry(1, 2), behind]),
                begins(at(1, 2), 2, gone)
            );
        }
        let other = entry(9, 7);
        assert_eq!(
            judged(4, None, &[other, heartbeat(1, 4)]),
            begins(
                LogPosition::beginning(at(1, 0).log),
                0,
                Why::StoreWentBack { unknown_from: 0 }
            )
        );
    }

    #[test]
    fn what_only_the_broker_knows_is_found() {
        let back = |unknown_from| Why::StoreWentBack { unknown_from };
        let beyond = [entry(1, 10), entry(1, 11), entry(2, 1)];
        assert_eq!(judged(10, None, &beyond), begins(at(1, 10), 10, back(1)));
        assert_eq!(
            judged(10, None, &beyond[1..]),
            begins(LogPosition::beginning(at(1, 0).log), 0, back(0))
        );
    }
}
