//! What Prometheus scrapes.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tower_revocation::EventSink;
use tower_revocation::metrics::Exporter;

use crate::Failure;

/// The metrics of this process. A cheap clone.
#[derive(Clone)]
pub(crate) struct Metrics {
    exporter: Exporter,
    recorder: PrometheusHandle,
}

impl Metrics {
    /// Records what the sink's domain does from now on.
    pub(crate) fn install(sink: &EventSink) -> Result<Self, Failure> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)?
            .install_recorder()?;
        Ok(Self {
            exporter: Exporter::new(sink.clone()),
            recorder,
        })
    }

    /// As of now, in Prometheus' text format.
    pub(crate) fn render(&self) -> String {
        self.exporter.export();
        self.recorder.render()
    }
}

/// From a queue in this process to a registry that is polled every few minutes, in seconds.
const BUCKETS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];
