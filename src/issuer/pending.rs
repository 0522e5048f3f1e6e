//! What is to be published next.

use crate::format::revocation::LogWriter;
use crate::issuer::error::IssuerError;
use crate::issuer::judgement::Knowledge;
use crate::issuer::publisher::OutgoingMessage;
use crate::issuer::store::{IssuerStore, KeptStatement, WrittenLog};
use crate::model::log_place::LogPosition;

/// A statement that is about to be published, as a message of the log.
#[derive(Debug)]
pub(super) struct NextMessage {
    pub(super) message: OutgoingMessage,
    pub(super) position: LogPosition,
    pub(super) sequence: u64,
}

impl WrittenLog {
    /// Returns what writes the next messages of the log; `None` if there is none yet.
    pub(super) fn writer(&self, source: &str) -> Option<LogWriter> {
        let position = self.position?;
        Some(match position.n {
            0 => LogWriter::begin(source, position.log, self.after),
            _ => LogWriter::go_on(source, position),
        })
    }
}

/// Returns the next messages, in order; `None` if all is published.
pub(super) fn next_batch(store: &IssuerStore) -> Result<Option<Vec<NextMessage>>, IssuerError> {
    let log = store.log()?;
    let Some(mut writer) = log.writer(store.source()) else {
        return Ok(None);
    };
    let pending = store.statements(log.cursor, LARGEST_BATCH)?;
    let write = |kept: KeptStatement| {
        let payload = writer.write(&kept.id, &kept.statement);
        let position = writer.position();
        let message = OutgoingMessage {
            id: format!("{}:{}", position.log, position.n),
            payload: payload.into(),
        };
        NextMessage {
            message,
            position,
            sequence: kept.sequence,
        }
    };
    let batch: Vec<_> = pending.into_iter().map(write).collect();
    Ok((!batch.is_empty()).then_some(batch))
}

impl Knowledge for IssuerStore {
    type Error = IssuerError;

    fn after_pending(&self, count: u64) -> Result<Option<LogPosition>, IssuerError> {
        let replayed = replay(self, count)?;
        let is_all = replayed.len() as u64 == count;
        Ok(replayed.last().filter(|_| is_all).map(|(position, _)| *position))
    }

    fn statement_at(&self, position: LogPosition) -> Result<Option<u64>, IssuerError> {
        self.statement_at(position)
    }
}

/// Where so many of the pending statements would be published, and which they are.
pub(super) fn replay(store: &IssuerStore, count: u64) -> Result<Vec<(LogPosition, u64)>, IssuerError> {
    let log = store.log()?;
    let Some(mut writer) = log.writer(store.source()) else {
        return Ok(Vec::new());
    };
    let pending = store.statements(log.cursor, usize::try_from(count).unwrap_or(usize::MAX))?;
    let place = |kept: KeptStatement| {
        let _message = writer.write(&kept.id, &kept.statement);
        (writer.position(), kept.sequence)
    };
    Ok(pending.into_iter().map(place).collect())
}

/// How many messages are published at once.
const LARGEST_BATCH: usize = 100;
