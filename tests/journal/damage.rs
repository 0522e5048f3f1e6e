//! The small files: every byte of them changed, every truncation.

use std::fs;
use std::path::Path;

use tower_revocation::journal::Journal;
use tower_revocation::{Key, Revocation, Timestamp, Verdict};

use crate::registry::{A, Registry, list, token};
use crate::support::{Process, new_directory, until_closed};

/// The database has its own test, in memory: it is large, and a disk would take its time.
#[tokio::test]
async fn no_damage_to_a_small_file_admits_what_was_revoked() {
    let directory = new_directory();
    let registry = Registry::new();
    let process = Process::start(directory.path());
    let iat = Timestamp::now().as_unix_secs() - 10;
    registry.publish(list(iat, iat + 390, &[A], ("k1", 7)));
    registry.fetch_for(&process.sink).await;
    process
        .sink
        .apply(Revocation::block(Key::subject("s")))
        .unwrap()
        .wait()
        .unwrap();
    drop(process);
    until_closed(directory.path());

    let (mut found, mut harmless) = (0, 0);
    for name in ["sequence", "list", "lock"] {
        let whole = fs::read(directory.path().join(name)).unwrap();
        let changed = (0..whole.len()).flat_map(|at| {
            [0xff, 0x01].map(|mask| {
                let mut changed = whole.clone();
                changed[at] ^= mask;
                changed
            })
        });
        let truncated = (0..whole.len()).map(|length| whole[..length].to_vec());
        for content in changed.chain(truncated) {
            until_closed(directory.path());
            fs::write(directory.path().join(name), &content).unwrap();
            match decides(directory.path(), &registry) {
                Some(true) => harmless += 1,
                Some(false) => panic!("{name} admits: {content:?}"),
                None => found += 1,
            }
            // A process that found nothing wrong has written since.
            if name != "sequence" {
                fs::write(directory.path().join(name), &whole).unwrap();
            } else {
                let sequence = format!("{:020}\n", commits(directory.path()));
                fs::write(directory.path().join(name), sequence).unwrap();
            }
        }
    }
    assert!(found > 1_000 && harmless > 10, "{found} found, {harmless} harmless");
}

/// Whether both revocations are in force; `None` if the damage was found.
fn decides(directory: &Path, registry: &Registry) -> Option<bool> {
    let process = Process::with(Journal::open(directory).ok()?, |layer| layer);
    let restored = registry.restore(&process.sink);
    assert_ne!(
        process.decide(token(A)),
        Verdict::Admit,
        "or it would be admitted until the first list"
    );
    assert!(process.is_revoked(Key::subject("s")));
    restored.ok()?;
    Some(process.is_revoked(token(A)) || !process.sink.is_ready())
}

/// What the database says.
fn commits(directory: &Path) -> u64 {
    until_closed(directory);
    let database = redb::Database::open(directory.join("journal.redb")).unwrap();
    let transaction = redb::ReadableDatabase::begin_read(&database).unwrap();
    let numbers = transaction
        .open_table(redb::TableDefinition::<&str, u64>::new("numbers"))
        .unwrap();
    numbers.get("sequence").unwrap().unwrap().value()
}
