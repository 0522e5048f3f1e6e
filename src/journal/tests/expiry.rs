//! What is let go of, and when.

use std::sync::Arc;
use std::time::Duration;

use tempfile::NamedTempFile;

use crate::domain::trust_domain::TrustDomain;
use crate::journal::database::JournalDatabase;
use crate::journal::expiry::{Expiry, ExpiryRule};
use crate::journal::request::Item;
use crate::journal::tests::disk::{Disk, entry};
use crate::model::domain_config::DomainConfig;
use crate::model::event::{Event, Reinstatement, Revocation};
use crate::model::key::Key;
use crate::model::timestamp::Timestamp;
use crate::state::entry::Entry;
use crate::state::key_state::KeyState;
use crate::state::snapshot::RevocationList;

fn secs(secs: u64) -> Timestamp {
    Timestamp::from_unix_secs(secs)
}

fn put(database: &mut JournalDatabase, entries: Vec<Entry>) {
    database.write(|page| Item::Entries(entries).put(page)).unwrap();
}

fn tidy(database: &mut JournalDatabase, domain: &TrustDomain, list: RevocationList, now: Timestamp) {
    let rule = ExpiryRule { domain, now };
    let mut expiry = Expiry::default();
    expiry.begin(Arc::new(list));
    while expiry.is_due() {
        expiry.step(database, &rule).unwrap();
    }
}

#[test]
fn goes_what_is_over_or_listed_and_in_force_no_more() {
    let (disk, commit_count) = (Disk::default(), NamedTempFile::new().unwrap());
    let mut database = disk.begin(commit_count.as_file());
    let domain = TrustDomain::new(DomainConfig::new());
    let now = secs(1_000);
    let [over, held, kept] = [0, 1, 2].map(|number| number);
    put(
        &mut database,
        vec![
            entry(over, Some(now)),
            entry(held, Some(now)),
            entry(kept, Some(secs(1_001))),
        ],
    );
    let revocation = Revocation::block(Key::token(&held.to_string())).at(secs(5));
    domain.store.merge(&[revocation.into()], now).unwrap();

    let [listed, newer, lifted] = ["listed", "newer", "lifted"].map(Key::subject);
    let say = |event: Event| Entry {
        key: *event.key(),
        key_state: KeyState::of(&event, now, 0),
        spared: None,
        keep_until: None,
    };
    put(
        &mut database,
        vec![
            say(Revocation::block(listed).at(secs(10)).into()),
            say(Revocation::block(newer).at(secs(30)).into()),
            say(Reinstatement::of(lifted, secs(5)).into()),
        ],
    );
    let list = [listed, newer, lifted]
        .into_iter()
        .fold(RevocationList::builder(secs(50)), |list, key| {
            list.with_entry(&Revocation::block(key).at(secs(20)))
        });
    tidy(&mut database, &domain, list.build(), now);
    let mut left: Vec<_> = database.entries().unwrap().into_iter().map(|entry| entry.key).collect();
    let mut expected = vec![entry(held, None).key, entry(kept, None).key, newer, lifted];
    for keys in [&mut left, &mut expected] {
        keys.sort_by_key(|key| key.to_parts());
    }
    assert_eq!(left, expected);
}

/// Events that come and go for ever leave a file in proportion to the most that there were at a time.
#[test]
fn the_file_stays_in_proportion() {
    let (disk, commit_count) = (Disk::default(), NamedTempFile::new().unwrap());
    let mut database = disk.begin(commit_count.as_file());
    let domain = TrustDomain::new(DomainConfig::new());
    let mut sizes = Vec::new();
    for round in 0..30 {
        let until = secs(round + 1);
        for batch in 0..20 {
            let number = |at| usize::try_from(round).unwrap() * 10_000 + batch * 500 + at;
            put(
                &mut database,
                (0..500).map(|at| entry(number(at), Some(until))).collect(),
            );
        }
        sizes.push(disk.image().len());
        let list = RevocationList::builder(secs(50)).build();
        tidy(
            &mut database,
            &domain,
            list,
            until.saturating_add(Duration::from_secs(1)),
        );
        assert_eq!(database.len().unwrap(), 0);
    }
    let (first, largest) = (sizes[0], sizes.iter().max().unwrap());
    assert!(*largest <= 3 * first, "{first} bytes at first, {largest} at most");
}
