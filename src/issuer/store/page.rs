//! Changes of what an issuer keeps.

use std::collections::HashMap;

use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};

use crate::issuer::store::row::{from_row, place_bytes, to_bytes};
use crate::model::log_place::{LogId, LogPosition};
use crate::model::timestamp::Timestamp;
use crate::statements::expiry::is_over;
use crate::statements::statement::{Statement, StatementKind};

/// The store while it is being changed.
pub(crate) struct StorePage<'t> {
    facts: Table<'t, &'static str, &'static [u8]>,
    statements: Table<'t, u64, &'static [u8]>,
    places: Table<'t, &'static [u8], &'static [u8]>,
    ends: Table<'t, u64, &'static [u8]>,
}

/// A log to be begun.
pub(crate) struct LogBeginning {
    pub(crate) log: LogId,
    pub(crate) after: Option<LogPosition>,
    /// The first statement that is published in it.
    pub(crate) from: u64,
    /// Statements that the store did not know.
    pub(crate) rows: Vec<Vec<u8>>,
}

impl<'t> StorePage<'t> {
    pub(crate) fn open(transaction: &'t WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self {
            facts: transaction.open_table(FACTS)?,
            statements: transaction.open_table(STATEMENTS)?,
            places: transaction.open_table(PLACES)?,
            ends: transaction.open_table(ENDS)?,
        })
    }

    /// Makes a new store what it is.
    pub(crate) fn begin_store(&mut self, source: &str) -> Result<(), redb::Error> {
        if self.facts.get("format")?.is_none() {
            self.facts.insert("source", source.as_bytes())?;
            self.facts.insert("format", FORMAT)?;
        }
        Ok(())
    }

    /// Adds a statement behind all others.
    pub(crate) fn add(&mut self, row: &[u8]) -> Result<u64, redb::Error> {
        let last = self.statements.last()?.map(|(last, _)| last.value());
        // A number is given once, even if the newest statements are gone.
        let sequence = last
            .map_or(0, |last| last + 1)
            .max(self.number("cursor")?)
            .max(self.number("next")?);
        self.statements.insert(sequence, row)?;
        // A log that begins may set the cursor back behind those that are gone.
        self.facts.insert("next", &(sequence + 1).to_be_bytes()[..])?;
        Ok(sequence)
    }

    /// Notes what was confirmed and read back, the last one last.
    pub(crate) fn published(&mut self, published: &[(LogPosition, u64)]) -> Result<(), redb::Error> {
        for (position, sequence) in published {
            let mut value = position.digest.to_bytes().to_vec();
            value.extend(sequence.to_be_bytes());
            self.places
                .insert(&place_bytes(position.log, position.n)[..], &value[..])?;
            if let Some(beyond) = position.n.checked_sub(PLACES_KEPT) {
                self.places.remove(&place_bytes(position.log, beyond)[..])?;
            }
        }
        let Some((position, sequence)) = published.last() else {
            return Ok(());
        };
        self.facts.insert("position", &to_bytes(*position)[..])?;
        self.facts.insert("cursor", &(sequence + 1).to_be_bytes()[..])?;
        Ok(())
    }

    /// Begins a log.
    pub(crate) fn begin_log(&mut self, beginning: &LogBeginning) -> Result<(), redb::Error> {
        let ended = self.facts.get("position")?.map(|bytes| bytes.value().to_vec());
        if let Some(ended) = ended {
            let turn = self.ends.last()?.map_or(0, |(last, _)| last.value() + 1);
            self.ends.insert(turn, &ended[..])?;
            if let Some(beyond) = turn.checked_sub(ENDS_KEPT)
                && let Some(forgotten) = self.ends.remove(beyond)?
            {
                forget_places(&mut self.places, forgotten.value())?;
            }
        }
        // In this order: numbers are given behind those that the former log had.
        for row in &beginning.rows {
            self.add(row)?;
        }
        let position = to_bytes(LogPosition::beginning(beginning.log));
        self.facts.insert("position", &position[..])?;
        self.facts.insert("cursor", &beginning.from.to_be_bytes()[..])?;
        match beginning.after {
            Some(after) => drop(self.facts.insert("after", &to_bytes(after)[..])?),
            None => drop(self.facts.remove("after")?),
        }
        Ok(())
    }

    /// Notes what the newest list covers.
    pub(crate) fn covered(&mut self, position: LogPosition, sequence: u64) -> Result<(), redb::Error> {
        self.facts.insert("covered", &to_bytes(position)[..])?;
        self.facts.insert("covered-sequence", &sequence.to_be_bytes()[..])?;
        Ok(())
    }

    /// Forgets statements that are published, that no gateway needs any more, and that the newest list covers. Without any list,
    /// nobody waits for one. A reinstatement stays as long as any block that it lifts. Returns how many.
    pub(crate) fn forget(&mut self, source: &str, now: Timestamp) -> Result<u64, redb::Error> {
        let cursor = self.number("cursor")?;
        let is_listed = self.facts.get("covered")?.is_some();
        let end = match is_listed {
            true => cursor.min(self.number("covered-sequence")? + 1),
            false => cursor,
        };
        let (mut over, mut reinstatements) = (Vec::new(), Vec::new());
        for row in self.statements.range(..end)? {
            let (sequence, row) = row?;
            let Some(kept) = from_row(source, sequence.value(), row.value()) else {
                continue;
            };
            match kept.statement.forget_at {
                Some(at) if !is_over(at, now) => {}
                None => {}
                Some(_) if kept.statement.kind == StatementKind::Reinstate => {
                    reinstatements.push((sequence.value(), kept.statement));
                }
                Some(_) => over.push(sequence.value()),
            }
        }
        over.extend(self.lifting_nothing(source, reinstatements, &over)?);
        for sequence in &over {
            self.statements.remove(sequence)?;
        }
        Ok(over.len() as u64)
    }

    /// Returns which of some reinstatements lift none of the blocks that stay: without the others, those would be in force again.
    fn lifting_nothing(
        &self,
        source: &str,
        reinstatements: Vec<(u64, Statement)>,
        over: &[u64],
    ) -> Result<Vec<u64>, redb::Error> {
        if reinstatements.is_empty() {
            return Ok(Vec::new());
        }
        let subjects = reinstatements.iter().flat_map(|(_, statement)| &statement.subjects);
        let mut earliest: HashMap<_, Option<Timestamp>> = subjects.map(|subject| (subject, None)).collect();
        for row in self.statements.iter()? {
            let (sequence, row) = row?;
            // They are in order.
            if over.binary_search(&sequence.value()).is_ok() {
                continue;
            }
            let kept = from_row(source, sequence.value(), row.value());
            let Some(block) = kept
                .map(|kept| kept.statement)
                .filter(|kept| kept.kind == StatementKind::Block)
            else {
                continue;
            };
            for subject in &block.subjects {
                if let Some(known) = earliest.get_mut(subject) {
                    *known = Some(known.map_or(block.at, |known| known.min(block.at)));
                }
            }
        }
        let lifts = |statement: &Statement| {
            let mut blocks = statement.subjects.iter().filter_map(|subject| earliest[subject]);
            blocks.any(|block| block < statement.at)
        };
        let nothing = reinstatements.iter().filter(|(_, statement)| !lifts(statement));
        Ok(nothing.map(|(sequence, _)| *sequence).collect())
    }

    fn number(&self, name: &str) -> Result<u64, redb::Error> {
        let bytes = self.facts.get(name)?.and_then(|bytes| bytes.value().try_into().ok());
        Ok(bytes.map_or(0, u64::from_be_bytes))
    }
}

/// Forgets what was published in a log that nobody asks about any more.
fn forget_places(places: &mut Table<'_, &'static [u8], &'static [u8]>, end: &[u8]) -> Result<(), redb::Error> {
    let Some(log) = end.get(..16).and_then(|log| log.try_into().ok()).map(LogId::from_bytes) else {
        return Ok(());
    };
    places.retain_in::<&[u8], _>(&place_bytes(log, 0)[..]..=&place_bytes(log, u64::MAX)[..], |_, _| false)?;
    Ok(())
}

/// What a store is written in.
pub(crate) const FORMAT: &[u8] = b"1";

pub(crate) const FACTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("facts");
pub(crate) const STATEMENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("statements");
/// Which statement was published where: log and number to digest and statement.
pub(crate) const PLACES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("places");
/// Where former logs ended.
pub(crate) const ENDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("ends");

/// How many places of a log are known: as far as a broker may be set back without anything being published twice.
const PLACES_KEPT: u64 = 100_000;

/// How many former logs are known.
const ENDS_KEPT: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issuer::store::{IssuerStore, to_row};
    use crate::model::log_place::LogDigest;
    use crate::statements::subject::Subject;

    /// The cursor alone used to say which numbers were given. A broker that then showed its former log again had the statements under
    /// the same numbers taken for published.
    #[test]
    fn a_number_is_given_once_though_its_statement_is_forgotten_and_the_broker_went_back() {
        let directory = tempfile::tempdir().unwrap();
        let store = IssuerStore::open(directory.path(), "issuer").unwrap();
        let row = |secs| {
            let over = Timestamp::from_unix_secs(secs);
            let statement = Statement::block(Subject::session("s")).at(over).forget_at(over);
            to_row("issuer", "id", &statement).unwrap()
        };
        let given = store
            .write(|page| {
                let position = |n| LogPosition {
                    log: LogId::from_bytes([1; 16]),
                    n,
                    digest: LogDigest::from_bytes([9; 16]),
                };
                let numbers = [page.add(&row(1))?, page.add(&row(2))?, page.add(&row(3))?];
                page.published(&[
                    (position(1), numbers[0]),
                    (position(2), numbers[1]),
                    (position(3), numbers[2]),
                ])?;
                assert_eq!(page.forget("issuer", Timestamp::from_unix_secs(130))?, 3);
                page.begin_log(&LogBeginning {
                    log: LogId::from_bytes([2; 16]),
                    after: Some(position(1)),
                    from: numbers[0] + 1,
                    rows: Vec::new(),
                })?;
                page.add(&row(4))
            })
            .unwrap();
        assert_eq!(given, 3);
    }

    #[test]
    fn a_reinstatement_stays_as_long_as_the_block_that_it_lifts() {
        let directory = tempfile::tempdir().unwrap();
        let store = IssuerStore::open(directory.path(), "issuer").unwrap();
        let at = Timestamp::from_unix_secs;
        let session = || Subject::session("s");
        let rows = [
            Statement::block(session()).at(at(1)).forget_at(at(1_000)),
            Statement::reinstate(session()).at(at(2)).forget_at(at(3)),
            // It lifts nothing: the block is as late as it is.
            Statement::reinstate(session()).at(at(1)).forget_at(at(3)),
            Statement::reinstate(Subject::session("other"))
                .at(at(2))
                .forget_at(at(3)),
        ];
        store
            .write(|page| {
                let mut numbers = Vec::new();
                for statement in &rows {
                    numbers.push(page.add(&to_row("issuer", "id", statement).unwrap())?);
                }
                let log = LogId::from_bytes([1; 16]);
                let digest = LogDigest::from_bytes([9; 16]);
                let position = |n| LogPosition { log, n, digest };
                page.published(&[(position(4), numbers[3])])?;
                assert_eq!(
                    page.forget("issuer", at(123))?,
                    0,
                    "verifiers may still take their tokens"
                );
                assert_eq!(page.forget("issuer", at(124))?, 2);
                assert_eq!(page.forget("issuer", at(1_120))?, 0);
                assert_eq!(page.forget("issuer", at(1_121))?, 2, "both at once");
                Ok(())
            })
            .unwrap();
    }
}
