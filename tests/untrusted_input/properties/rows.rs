//! A database whose pages are all in order, and whose rows are not.

use std::fs;
use std::path::Path;

use redb::{Database, TableDefinition};
use tower_revocation::journal::{Journal, JournalError};

use super::journal::{directory, left, start, until_closed};

/// Rows that another program added to what was kept are an error, or change nothing that was revoked; whatever is in them.
pub(crate) fn check(input: &[u8]) {
    let directory = directory();
    for (name, content) in left() {
        fs::write(directory.path().join(name), content).expect("there is room");
    }
    add(directory.path(), input);
    match Journal::open(directory.path()) {
        Ok(journal) => start(journal),
        Err(JournalError::InUse { .. } | JournalError::Exposed { .. }) => panic!("{directory:?} is ours alone"),
        Err(_) => return,
    }
    // What one process took over and wrote again, the next one takes over as well.
    until_closed(directory.path());
    start(Journal::open(directory.path()).expect("it was good a moment ago"));
}

/// Adds rows of 58 bytes each: entries under keys of their own, and all numbers that have to do with lists.
fn add(directory: &Path, input: &[u8]) {
    let database = Database::open(directory.join("journal.redb")).expect("it was written");
    let transaction = database.begin_write().expect("it can be written");
    {
        let mut entries = transaction.open_table(ENTRIES).expect("it is there");
        let mut numbers = transaction.open_table(NUMBERS).expect("it is there");
        for row in input.chunks_exact(58) {
            let number = |at: usize| u64::from_le_bytes(row[at..at + 8].try_into().expect("it has eight bytes"));
            let bits = u128::from(number(1)) << 64 | u128::from(number(9)) << 4;
            let moments = [17, 25, 33, 41].map(number);
            // The one key that has no bits is known already.
            if row[0] != EVERYTHING {
                let row = (moments, number(49), row[57]);
                entries
                    .insert((row_kind(input[0], bits), bits), row)
                    .expect("there is room");
            }
            let name = match row[57] % 8 {
                0 => "newest list",
                1 => "list accepted",
                2 => "list refreshed",
                3 => "list incomplete",
                4 => "list issued",
                5 => "another",
                _ => continue,
            };
            numbers.insert(name, number(49)).expect("there is room");
        }
    }
    transaction.commit().expect("there is room");
}

/// Mostly one of the kinds that there are.
const fn row_kind(choice: u8, bits: u128) -> u8 {
    match choice {
        255 => (bits >> 120) as u8,
        _ => choice % 7,
    }
}

const ENTRIES: TableDefinition<'_, (u8, u128), ([u64; 4], u64, u8)> = TableDefinition::new("entries");
const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");

/// The number of the kind of that one key.
const EVERYTHING: u8 = 7;

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let row = |kind: u8, moment: u64, until: u64, reason: u8| {
        let mut row = vec![kind];
        row.extend(
            [3, 4, moment, moment / 2, 0, moment, until]
                .iter()
                .flat_map(|number: &u64| number.to_le_bytes()),
        );
        row.push(reason);
        row
    };
    vec![
        row(4, 1_767_225_600_001, u64::MAX, 3),
        [row(6, u64::MAX, u64::MAX - 1, 99), row(0, 1, 0, 0)].concat(),
        row(255, 0, 0, 1),
        row(4, 5, 4_000_000_000_000, 2),
    ]
}
