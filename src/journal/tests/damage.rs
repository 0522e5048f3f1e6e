//! Every byte of a small database changed, one at a time; every truncation; kills and power failures.

use std::fs::File;
use std::io::Write;

use crate::journal::database::{INCOMPLETE, JournalDatabase, KEYS, REFRESHED};
use crate::journal::error::JournalError;
use crate::journal::request::Item;
use crate::journal::tests::disk::{Disk, entry};
use crate::model::key_secrets::KeySecrets;
use crate::model::timestamp::Timestamp;
use crate::state::entry::Entry;

/// All that a database says.
type Content = (Vec<Entry>, Option<Timestamp>, Option<Timestamp>, Option<Vec<u8>>);

fn read(database: &JournalDatabase) -> Result<Content, JournalError> {
    assert_eq!(database.secrets()?, KeySecrets::in_use().to_bytes());
    Ok((
        database.entries()?,
        database.time(INCOMPLETE)?,
        database.time(REFRESHED)?,
        database.text(KEYS)?,
    ))
}

fn put(database: &mut JournalDatabase, item: &Item) {
    database.write(|page| item.put(page)).unwrap();
}

/// What becomes of a database that was changed.
#[derive(Default)]
struct Tally {
    found: usize,
    harmless: usize,
}

/// A few entries in several commits, so that each commit has something to lose, and what goes with a list.
struct Victim {
    image: Vec<u8>,
    /// The commit count.
    sequence: String,
    content: Content,
}

impl Victim {
    /// Left by a process that was killed, or that ended in good order.
    fn new(is_killed: bool) -> Self {
        let disk = Disk::default();
        let commit_count = tempfile::NamedTempFile::new().unwrap();
        let mut database = disk.begin(commit_count.as_file());
        put(&mut database, &Item::Keys(b"keys".to_vec()));
        put(&mut database, &Item::Incomplete(Timestamp::from_unix_secs(7)));
        put(&mut database, &Item::Refreshed(Timestamp::from_unix_secs(8)));
        assert_eq!(database.time(REFRESHED).unwrap(), None, "there is no list");
        for number in 0..20 {
            put(
                &mut database,
                &Item::Entries(vec![entry(number, Some(Timestamp::from_unix_secs(9)))]),
            );
        }
        let content = read(&database).unwrap();
        assert_eq!(content.0.len(), 20);
        let sequence = std::fs::read_to_string(commit_count.path()).unwrap();
        let killed = disk.image();
        drop(database);
        Self {
            image: if is_killed { killed } else { disk.image() },
            sequence,
            content,
        }
    }

    fn commit_count(&self) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(self.sequence.as_bytes()).unwrap();
        file
    }

    /// What is found in `image` is an error, or what was written.
    fn check(&self, image: Vec<u8>, commit_count: &File, what: impl Fn() -> String, tally: &mut Tally) {
        match Disk::of(image).open(commit_count).and_then(|database| read(&database)) {
            Err(_) => tally.found += 1,
            Ok(content) => {
                assert_eq!(content, self.content, "{}", what());
                tally.harmless += 1;
            }
        }
    }

    fn check_changes(&self, bytes: impl Iterator<Item = usize>, masks: &[u8]) -> Tally {
        let commit_count = self.commit_count();
        let mut tally = Tally::default();
        for at in bytes {
            for mask in masks {
                let mut image = self.image.clone();
                image[at] ^= mask;
                self.check(image, &commit_count, || format!("byte {at} by {mask:#x}"), &mut tally);
            }
        }
        tally
    }
}

const BITS: [u8; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

/// The header has bytes in which one bit alone decides which of two commits is the latest.
#[test]
fn every_bit_of_the_header() {
    for is_killed in [false, true] {
        let victim = Victim::new(is_killed);
        let tally = victim.check_changes(0..512, &BITS);
        assert!(tally.found > 500, "{} found, {} harmless", tally.found, tally.harmless);
    }
}

#[test]
fn every_byte_that_a_killed_process_left() {
    every_byte(true, 0xff);
}

#[test]
fn every_byte_that_a_process_left_in_good_order() {
    every_byte(false, 0x10);
}

fn every_byte(is_killed: bool, mask: u8) {
    let victim = Victim::new(is_killed);
    let tally = victim.check_changes(0..victim.image.len(), &[mask]);
    assert!(
        tally.found > 5_000,
        "{} found, {} harmless",
        tally.found,
        tally.harmless
    );
}

#[test]
fn every_truncation() {
    for is_killed in [false, true] {
        let victim = Victim::new(is_killed);
        let commit_count = victim.commit_count();
        let mut tally = Tally::default();
        for length in 0..victim.image.len() {
            let image = victim.image[..length].to_vec();
            victim.check(image, &commit_count, || format!("the first {length} bytes"), &mut tally);
        }
        assert!(tally.found > victim.image.len() / 2, "{} found", tally.found);
    }
}

/// A process that is killed between any two of its writes, or whose power fails: whatever part of what was not synced got to the
/// disk, what was answered for is there.
#[test]
fn a_kill_or_a_power_failure_at_any_moment() {
    let disk = Disk::default();
    let commit_count = tempfile::NamedTempFile::new().unwrap();
    let mut database = disk.begin(commit_count.as_file());
    disk.remember();
    let mut moments = 0;
    for number in 0..30 {
        // It is written after all that goes to the disk.
        let seen = std::fs::read_to_string(commit_count.path()).unwrap();
        put(&mut database, &Item::Entries(vec![entry(number, None)]));
        for image in disk.history() {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(seen.as_bytes()).unwrap();
            let left = Disk::of(image).open(&file).and_then(|database| database.entries());
            let entries = left.unwrap_or_else(|error| panic!("{number}: {error:?}")).len();
            assert!((number..=number + 1).contains(&entries), "{entries} after {number}");
            moments += 1;
        }
    }
    assert!(moments > 500, "{moments}");
}
