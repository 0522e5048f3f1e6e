//! What recorders are told of a journal.

use std::collections::BTreeMap;
use std::fs;

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use tower_revocation::Applied;
use tower_revocation::Revocation;
use tower_revocation::journal::Journal;
use tower_revocation::metrics::Exporter;

use crate::registry::{A, token};
use crate::support::{Process, new_directory, open};

/// What is exported under names that begin so.
fn told(process: &Process) -> BTreeMap<String, DebugValue> {
    let recorder = DebuggingRecorder::new();
    metrics::with_local_recorder(&recorder, || Exporter::new(process.sink.clone()).export());
    let told = recorder.snapshotter().snapshot().into_vec().into_iter();
    let named = told.filter_map(|(key, _, _, value)| {
        let name = key.key().name().strip_prefix("revocation_journal_")?;
        Some((name.to_owned(), value))
    });
    named.collect()
}

#[test]
fn says_what_is_kept_and_whether_more_can_be() {
    let directory = new_directory();
    let process = Process::with(open(directory.path()), |layer| layer);
    process.sink.apply(Revocation::block(token(A))).unwrap().wait().unwrap();
    process.until_kept(1);
    let status = process.journal();
    let gauge = |value: f64| DebugValue::Gauge(value.into());
    let expected = BTreeMap::from([
        ("durable".to_owned(), gauge(1.0)),
        ("entries".to_owned(), gauge(1.0)),
        ("bytes".to_owned(), gauge(status.bytes as f64)),
        ("failures_total".to_owned(), DebugValue::Counter(0)),
    ]);
    assert!(status.bytes > 0);
    assert_eq!(told(&process), expected);
    drop(process);

    let path = directory.path().join("no directory");
    fs::write(&path, "").unwrap();
    let process = Process::with(Journal::open_or_start_empty(&path).unwrap(), |layer| layer);
    let failures = |told: &BTreeMap<_, _>| match told["failures_total"] {
        DebugValue::Counter(failures) => failures,
        ref other => panic!("{other:?}"),
    };
    let before = told(&process);
    assert_eq!((&before["durable"], failures(&before)), (&gauge(0.0), 1));
    assert!(
        process
            .sink
            .apply(Revocation::block(token(A)))
            .and_then(Applied::wait)
            .is_err()
    );
    assert!(failures(&told(&process)) > 1);
}
