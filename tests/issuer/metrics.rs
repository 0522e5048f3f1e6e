//! What is exported of an issuer.

use std::collections::BTreeMap;

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use tower_revocation::issuer::MemoryPublisher;
use tower_revocation::metrics::IssuerExporter;
use tower_revocation::source::Memory;

use crate::{Home, all_published, block};

#[tokio::test]
async fn all_that_is_documented_is_exported_and_says_how_it_is() {
    let (home, log) = (Home::new(), Memory::new("broker"));
    let recorder = DebuggingRecorder::new();
    let issuer = home.open();
    block(&issuer, "s-1").await;
    let exported = |issuer: &tower_revocation::issuer::Issuer| -> BTreeMap<String, f64> {
        metrics::with_local_recorder(&recorder, || IssuerExporter::new(issuer.clone()).export());
        let values = recorder.snapshotter().snapshot().into_vec();
        let value = |value| match value {
            DebugValue::Counter(count) => count as f64,
            DebugValue::Gauge(gauge) => gauge.into_inner(),
            DebugValue::Histogram(_) => panic!("there is none"),
        };
        let named = values
            .into_iter()
            .map(|(key, _, _, found)| (key.key().name().to_owned(), value(found)));
        named.collect()
    };
    let waiting = exported(&issuer);
    assert_eq!(waiting["revocation_issuer_pending_statements"], 1.0);
    assert_eq!(waiting["revocation_issuer_connected"], 0.0);
    assert!(waiting["revocation_issuer_oldest_pending_timestamp_seconds"] > 1e9);

    let issuer = issuer.publishing_to(MemoryPublisher::new(&log));
    all_published(&issuer).await;
    let published = exported(&issuer);
    assert_eq!(published["revocation_issuer_pending_statements"], 0.0);
    assert_eq!(published["revocation_issuer_published_total"], 1.0);
    assert!(published["revocation_issuer_oldest_pending_timestamp_seconds"].is_nan());
    let documentation = include_str!("../../src/metrics/issuer_exporter.rs");
    let rows = documentation
        .lines()
        .filter_map(|line| line.strip_prefix("/// | `")?.split('`').next());
    assert_eq!(published.keys().collect::<Vec<_>>(), {
        let mut rows: Vec<_> = rows.collect();
        rows.sort_unstable();
        rows
    });
}
