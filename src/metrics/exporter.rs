//! The counters and gauges, written to the recorder.

use std::convert::Infallible;
use std::time::Duration;

use metrics::{Label, SharedString, with_recorder};
use tokio::time::{MissedTickBehavior, interval};

use crate::metrics::catalogue::CATALOGUE;
use crate::metrics::output::Output;
use crate::metrics::timing::Timing;
use crate::model::timestamp::Timestamp;
use crate::model::verdict::Freshness;
use crate::sink::EventSink;
use crate::status::{ConcernCode, FeedState, Status};

/// Writes a trust domain's counters and gauges to the recorder that the host has installed. The [module](super) lists
/// them.
///
/// Make one for each domain. If a domain has several, only the first records how long things take.
#[derive(Clone, Debug)]
#[must_use = "nothing is exported until it is asked to"]
pub struct Exporter {
    sink: EventSink,
    labels: Vec<Label>,
    interval: Duration,
}

impl Exporter {
    /// Returns an exporter, describes all metrics to the recorder, and starts to record how long things take. Install
    /// the recorder first.
    pub fn new(sink: EventSink) -> Self {
        Self::with_labels(sink, Vec::new())
    }

    /// Returns what [`new`](Self::new) returns, with one more label on all metrics. If one process has several issuers,
    /// a label such as `issuer` tells them apart.
    pub fn labelled(sink: EventSink, name: impl Into<SharedString>, value: impl Into<SharedString>) -> Self {
        Self::with_labels(sink, vec![Label::new(name, value)])
    }

    /// Sets how often [`run`](Self::run) writes. Defaults to [`DEFAULT_INTERVAL`].
    pub const fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Writes all counters and gauges as they are now.
    ///
    /// For recorders that are read, such as Prometheus': call it right before each reading. Costs a few microseconds.
    pub fn export(&self) {
        let status = self.sink.status();
        with_recorder(|recorder| {
            let output = Output {
                recorder,
                labels: &self.labels,
            };
            self.write(&status, &output);
        });
    }

    /// Writes all counters and gauges once per interval, until the future is dropped. For recorders that send: spawn
    /// it.
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

    fn with_labels(sink: EventSink, labels: Vec<Label>) -> Self {
        with_recorder(|recorder| Output::describe(recorder, CATALOGUE));
        let timing = Timing::new(labels.clone());
        // If another exporter was first, it goes on.
        let _ = sink.domain().observer.set(Box::new(timing));
        Self {
            sink,
            labels,
            interval: DEFAULT_INTERVAL,
        }
    }

    fn write(&self, status: &Status, output: &Output<'_>) {
        let now = Timestamp::now();
        let ago = |ms: Option<u64>| ms.map(|ms| secs(now.saturating_sub(Duration::from_millis(ms))));
        self.requests(status, output);
        self.messages(status, output);

        output.whether("revocation_ready", &[], status.ready);
        output.whether("revocation_fresh", &[], status.freshness == Freshness::Fresh);
        if let Some(list) = &status.snapshot {
            output.gauge("revocation_snapshot_entries", list.entries as u64);
            output.gauge("revocation_snapshot_bytes", list.bytes as u64);
            output.time(
                "revocation_snapshot_refreshed_timestamp_seconds",
                ago(Some(list.age_ms)),
            );
            let issued = list.iat.map(|iat| secs(Timestamp::from_unix_secs(iat)));
            output.time("revocation_snapshot_issued_timestamp_seconds", issued);
            let max_age = Duration::from_millis(list.max_age_ms).as_secs_f64();
            output.time("revocation_snapshot_max_age_seconds", Some(max_age));
        }
        output.gauge("revocation_poll_consecutive_failures", status.poll.failures);
        output.time(
            "revocation_poll_success_timestamp_seconds",
            ago(status.poll.last_success_ms_ago),
        );
        if let Some(keys) = &status.poll.signing_keys {
            output.gauge("revocation_signing_keys", keys.count as u64);
            output.time(
                "revocation_signing_keys_fetched_timestamp_seconds",
                ago(keys.fetched_ms_ago),
            );
        }
        output.gauge("revocation_overlay_entries", status.overlay.entries as u64);
        output.gauge("revocation_overlay_capacity", status.overlay.capacity as u64);
        output.gauge("revocation_overlay_bytes", status.overlay.bytes as u64);

        let feed = &status.feed;
        for state in FeedState::ALL {
            output.whether(
                "revocation_feed_state",
                &[("state", state.as_str())],
                feed.state == state,
            );
        }
        output.time("revocation_feed_signal_timestamp_seconds", ago(feed.last_signal_ms_ago));
        output.time("revocation_feed_event_timestamp_seconds", ago(feed.last_event_ms_ago));
        output.time(
            "revocation_feed_heartbeat_timestamp_seconds",
            ago(feed.last_heartbeat_ms_ago),
        );
        if feed.source.is_some() {
            output.known("revocation_feed_lag_messages", feed.lag);
        }
        output.gauge("revocation_feed_unacknowledged_messages", feed.unacknowledged as u64);
        let is_gap_open = feed.last_gap.as_ref().is_some_and(|gap| gap.is_open);
        output.whether("revocation_feed_gap_open", &[], is_gap_open);
        output.count("revocation_feed_gaps_total", &[], feed.gaps);
        output.count("revocation_feed_opened_total", &[], feed.opened);

        if let Some(canary) = &status.canary {
            output.time(
                "revocation_canary_proof_timestamp_seconds",
                ago(canary.last_proof_ms_ago),
            );
            let oldest = Duration::from_millis(canary.every_ms.saturating_add(canary.within_ms));
            output.time("revocation_canary_max_age_seconds", Some(oldest.as_secs_f64()));
            output.whether("revocation_canary_overdue", &[], canary.is_overdue);
        }
        if let Some(journal) = &status.journal {
            output.whether("revocation_journal_durable", &[], journal.durable);
            output.gauge("revocation_journal_entries", journal.entries);
            output.gauge("revocation_journal_bytes", journal.bytes);
            output.count("revocation_journal_failures_total", &[], journal.failures);
        }
        output.time("revocation_exported_timestamp_seconds", Some(secs(now)));
    }

    fn requests(&self, status: &Status, output: &Output<'_>) {
        let verdicts = &status.verdicts;
        for (verdict, source, count) in [
            ("admit", "none", verdicts.admit),
            ("anonymous", "none", verdicts.anonymous),
            ("revoked", "event", verdicts.revoked_by_event),
            ("revoked", "list", verdicts.revoked_by_list),
            ("unknown", "none", verdicts.unknown),
            ("unreadable", "none", verdicts.unreadable),
        ] {
            let labels = [("verdict", verdict), ("source", source)];
            output.count("revocation_decisions_total", &labels, count);
        }
        let doubtful = &status.doubtful;
        for (code, sighting) in [
            (ConcernCode::IssuedInTheFuture, doubtful.issued_in_future),
            (ConcernCode::WithoutKeys, doubtful.without_keys),
        ] {
            let labels = [("reason", code.as_str())];
            output.count("revocation_doubtful_credentials_total", &labels, sighting.count);
        }
        output.count("revocation_would_refuse_total", &[], status.would_refuse);
        let work = &status.in_flight;
        output.gauge("revocation_streams_waiting", work.waiting as u64);
        output.count("revocation_streams_woken_total", &[], work.woken);
        output.count("revocation_streams_cut_total", &[], work.cut);
        output.count("revocation_streams_would_cut_total", &[], work.would_cut);
    }

    fn messages(&self, status: &Status, output: &Output<'_>) {
        let applied = [("disposition", "applied"), ("reason", "none")];
        output.count("revocation_messages_total", &applied, status.dispositions.applied);
        for ((disposition, reason), count) in self.sink.domain().counters.of_reasons() {
            let labels = [("disposition", disposition), ("reason", reason)];
            output.count("revocation_messages_total", &labels, count);
        }
        output.count("revocation_events_applied_total", &[], status.overlay.applied);
    }
}

/// Seconds since the epoch.
pub(super) fn secs(at: Timestamp) -> f64 {
    Duration::from_millis(at.as_unix_millis()).as_secs_f64()
}

/// How often counters and gauges are written: every 5 seconds.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);

/// An interval of zero would panic.
pub(super) const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
