//! What does a durable event cost? Ids read `journal/<callers>/<arm>`; each iteration is one event, on disk when it counts.
//!
//! The floor is the store itself: redb, one commit and one sync for each event. Below it lies the disk: a record appended to a
//! file, and one `fdatasync`.

mod common;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use common::is_test;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition};
use tempfile::TempDir;
use tower_revocation::journal::Journal;
use tower_revocation::{Credential, EventSink, Key, ListPolicy, Revocation, RevocationLayer, Verdict};

const CALLERS: u64 = 64;

/// The row of an event that is as large as ours.
const ROWS: TableDefinition<'_, (u8, u128), ([u64; 4], u64, u8)> = TableDefinition::new("rows");

fn journal(criterion: &mut Criterion) {
    for (name, callers) in [("alone", 1), ("64_callers", CALLERS)] {
        let mut group = criterion.benchmark_group(format!("journal/{name}"));
        group.throughput(Throughput::Elements(1)).sample_size(10);
        if !is_test() {
            group.measurement_time(Duration::from_secs(8));
        }
        group.bench_function("ours", |bencher| {
            let ours = Ours::new();
            bencher.iter_custom(|events| ours.threads(events, callers));
        });
        if callers > 1 {
            group.bench_function("ours_as_tasks", |bencher| {
                let ours = Ours::new();
                bencher.iter_custom(|events| ours.tasks(events, callers));
            });
        }
        group.bench_function("redb_commit_each", |bencher| {
            let store = Store::new();
            bencher.iter_custom(|events| store.threads(events, callers));
        });
        group.bench_function("append_and_sync_each", |bencher| {
            let log = Log::new();
            bencher.iter_custom(|events| log.threads(events, callers));
        });
        group.finish();
    }
}

/// A sink that is kept in a journal.
struct Ours {
    sink: EventSink,
    _directory: TempDir,
}

impl Ours {
    fn new() -> Self {
        let directory = directory();
        let journal = Journal::open(directory.path()).expect("a journal");
        let (_layer, sink) = RevocationLayer::pair(|_: &()| None::<Credential>);
        sink.configure(|config| config.with_lists(ListPolicy::NotUsed));
        sink.keep_in(journal).expect("it is kept");
        Self {
            sink,
            _directory: directory,
        }
    }

    fn threads(&self, events: u64, callers: u64) -> Duration {
        let from = self.held();
        let took = spread(events, callers, |number| {
            let key = Key::token(&format!("{}", from + number));
            self.sink
                .apply(Revocation::block(key))
                .expect("it is kept")
                .wait()
                .expect("it is kept");
        });
        self.check(from, events);
        took
    }

    fn tasks(&self, events: u64, callers: u64) -> Duration {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        let from = self.held();
        let caller = async |caller: u64| {
            for number in (caller..events).step_by(usize::try_from(callers).expect("few")) {
                let key = Key::token(&format!("{}", from + number));
                self.sink
                    .apply(Revocation::block(key))
                    .expect("there is room")
                    .durable()
                    .await
                    .expect("it is kept");
            }
        };
        let started = Instant::now();
        runtime.block_on(join_all((0..callers).map(caller)));
        let took = started.elapsed();
        self.check(from, events);
        took
    }

    fn held(&self) -> u64 {
        self.sink.status().overlay.entries as u64
    }

    fn check(&self, from: u64, events: u64) {
        let status = self.sink.status();
        assert_eq!(status.journal.expect("there is one").entries, from + events);
        let last = Key::token(&format!("{}", from + events - 1));
        assert!(matches!(self.sink.decide(&last.into()), Verdict::Revoked(_)));
    }
}

/// The store without us.
struct Store {
    database: Database,
    _directory: TempDir,
}

impl Store {
    fn new() -> Self {
        let directory = directory();
        let database = Database::create(directory.path().join("store")).expect("a database");
        let transaction = database.begin_write().expect("a transaction");
        transaction.open_table(ROWS).expect("a table");
        transaction.commit().expect("a commit");
        Self {
            database,
            _directory: directory,
        }
    }

    fn threads(&self, events: u64, callers: u64) -> Duration {
        let from = self.held();
        let took = spread(events, callers, |number| {
            let transaction = self.database.begin_write().expect("a transaction");
            {
                let mut table = transaction.open_table(ROWS).expect("a table");
                // As far apart as fingerprints.
                let key = u128::from(from + number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
                table.insert((6, key), ([1, 0, 0, 1], 2, 0)).expect("a row");
            }
            transaction.commit().expect("a commit");
        });
        assert_eq!(self.held(), from + events);
        took
    }

    fn held(&self) -> u64 {
        let transaction = self.database.begin_read().expect("a transaction");
        transaction.open_table(ROWS).expect("a table").len().expect("a length")
    }
}

/// The disk without the store.
struct Log {
    file: Mutex<File>,
    _directory: TempDir,
}

impl Log {
    fn new() -> Self {
        let directory = directory();
        let file = File::create(directory.path().join("log")).expect("a file");
        Self {
            file: Mutex::new(file),
            _directory: directory,
        }
    }

    fn threads(&self, events: u64, callers: u64) -> Duration {
        let length = || {
            self.file
                .lock()
                .expect("no panic")
                .metadata()
                .expect("it is there")
                .len()
        };
        let from = length();
        let took = spread(events, callers, |_| {
            let mut file = self.file.lock().expect("no panic");
            file.write_all(&[0; RECORD]).expect("there is room");
            file.sync_data().expect("it gets to the disk");
        });
        assert_eq!(length(), from + events * RECORD as u64);
        took
    }
}

const RECORD: usize = 58;

/// Has so many callers make these calls, each the next one when its last has returned.
fn spread(calls: u64, callers: u64, call: impl Fn(u64) + Sync) -> Duration {
    let started = Instant::now();
    thread::scope(|scope| {
        for caller in 0..callers {
            let call = &call;
            scope.spawn(move || {
                let mine = (caller..calls).step_by(usize::try_from(callers).expect("few"));
                mine.for_each(call);
            });
        }
    });
    started.elapsed()
}

/// On the disk that the build is on: a directory for temporary files may be none.
fn directory() -> TempDir {
    tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).expect("a directory")
}

criterion_group!(benches, journal);
criterion_main!(benches);
