//! An issuer's counters and gauges, written to the recorder.

use std::convert::Infallible;
use std::time::Duration;

use metrics::{Label, SharedString, Unit, with_recorder};
use tokio::time::{MissedTickBehavior, interval};

use crate::issuer::{Issuer, IssuerStatus};
use crate::metrics::catalogue::{Description, counter, gauge, whether};
use crate::metrics::exporter::{DEFAULT_INTERVAL, SHORTEST_INTERVAL, secs};
use crate::metrics::output::Output;
use crate::model::timestamp::Timestamp;

/// Writes an [issuer](crate::issuer)'s counters and gauges to the recorder that the host has installed.
///
/// | Name | Type, unit | What it says |
/// |---|---|---|
/// | `revocation_issuer_connected` | gauge, 0 or 1 | Whether the last attempt to publish, or to read back, was good. |
/// | `revocation_issuer_pending_statements` | gauge | Statements that are not published yet. |
/// | `revocation_issuer_oldest_pending_timestamp_seconds` | gauge, seconds | When the oldest of them was made; `NaN` if there is none. |
/// | `revocation_issuer_confirmed_timestamp_seconds` | gauge, seconds | When a message, a heartbeat too, was confirmed and read back last. |
/// | `revocation_issuer_published_total` | counter | Statements that were confirmed and read back. |
/// | `revocation_issuer_logs_begun_total` | counter | Logs that were begun because the broker or the store had gone back. |
/// | `revocation_issuer_concerns` | gauge | How many concerns the status has. |
#[derive(Clone, Debug)]
#[must_use = "nothing is exported until it is asked to"]
pub struct IssuerExporter {
    issuer: Issuer,
    labels: Vec<Label>,
    interval: Duration,
}

impl IssuerExporter {
    /// Returns an exporter, and describes its metrics to the recorder. Install the recorder first.
    pub fn new(issuer: Issuer) -> Self {
        with_recorder(|recorder| Output::describe(recorder, ISSUER_CATALOGUE));
        Self {
            issuer,
            labels: Vec::new(),
            interval: DEFAULT_INTERVAL,
        }
    }

    /// Adds a label to all metrics, such as the issuer's name where one process has several.
    pub fn labelled(mut self, name: impl Into<SharedString>, value: impl Into<SharedString>) -> Self {
        self.labels.push(Label::new(name, value));
        self
    }

    /// Sets how often [`run`](Self::run) writes. Defaults to [`DEFAULT_INTERVAL`].
    pub const fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Writes all of them as they are now. Reads a few pages of the store.
    pub fn export(&self) {
        // What cannot be read is not written: the timestamps stand still.
        let Ok(status) = self.issuer.status() else {
            return;
        };
        with_recorder(|recorder| {
            let output = Output {
                recorder,
                labels: &self.labels,
            };
            write(&status, &output);
        });
    }

    /// Writes all of them once per interval, until the future is dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the writing, and has no other effect.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with its clock enabled.
    pub async fn run(self) -> Infallible {
        let mut ticks = interval(self.interval.max(SHORTEST_INTERVAL));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.export();
        }
    }
}

fn write(status: &IssuerStatus, output: &Output<'_>) {
    let now = Timestamp::now();
    let ago = |ms: u64| secs(now.saturating_sub(Duration::from_millis(ms)));
    output.whether("revocation_issuer_connected", &[], status.connected);
    output.gauge("revocation_issuer_pending_statements", status.pending);
    let oldest = status.oldest_pending_ms_ago.map_or(f64::NAN, ago);
    output.time("revocation_issuer_oldest_pending_timestamp_seconds", Some(oldest));
    let confirmed = status.last_confirmed_ms_ago.map(ago);
    output.time("revocation_issuer_confirmed_timestamp_seconds", confirmed);
    output.count("revocation_issuer_published_total", &[], status.published);
    output.count("revocation_issuer_logs_begun_total", &[], status.logs_begun);
    output.gauge("revocation_issuer_concerns", status.concerns.len() as u64);
}

const ISSUER_CATALOGUE: &[Description] = &[
    whether(
        "revocation_issuer_connected",
        "Whether what is published gets to the broker.",
    ),
    gauge(
        "revocation_issuer_pending_statements",
        Unit::Count,
        "Statements that are not published yet.",
    ),
    gauge(
        "revocation_issuer_oldest_pending_timestamp_seconds",
        Unit::Seconds,
        "When the oldest statement was made that is not published yet.",
    ),
    gauge(
        "revocation_issuer_confirmed_timestamp_seconds",
        Unit::Seconds,
        "When a message was confirmed and read back last.",
    ),
    counter("revocation_issuer_published_total", "Statements that were published."),
    counter(
        "revocation_issuer_logs_begun_total",
        "Logs that were begun because the broker or the store had gone back.",
    ),
    gauge(
        "revocation_issuer_concerns",
        Unit::Count,
        "What somebody should look at.",
    ),
];
