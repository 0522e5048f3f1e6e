//! What is to be done about what the broker holds.

use crate::issuer::store::WrittenLog;
use crate::model::log_place::LogPosition;

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
