//! All metrics, as they are described to recorders.

use metrics::Unit;

/// One metric.
#[derive(Clone, Copy, Debug)]
pub(super) struct Description {
    pub(super) kind: MetricKind,
    pub(super) name: &'static str,
    pub(super) unit: Option<Unit>,
    pub(super) help: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

pub(super) const fn counter(name: &'static str, help: &'static str) -> Description {
    Description {
        kind: MetricKind::Counter,
        name,
        unit: Some(Unit::Count),
        help,
    }
}

pub(super) const fn gauge(name: &'static str, unit: Unit, help: &'static str) -> Description {
    Description {
        kind: MetricKind::Gauge,
        name,
        unit: Some(unit),
        help,
    }
}

/// 0 or 1.
pub(super) const fn whether(name: &'static str, help: &'static str) -> Description {
    Description {
        kind: MetricKind::Gauge,
        name,
        unit: None,
        help,
    }
}

const fn histogram(name: &'static str, help: &'static str) -> Description {
    Description {
        kind: MetricKind::Histogram,
        name,
        unit: Some(Unit::Seconds),
        help,
    }
}

pub(super) const ENFORCEMENT_DELAY: &str = "revocation_enforcement_delay_seconds";
pub(super) const POLLS: &str = "revocation_polls_total";
pub(super) const POLL_DURATION: &str = "revocation_poll_duration_seconds";

/// All of them; the module's documentation has the labels.
pub(super) const CATALOGUE: &[Description] = &[
    counter("revocation_decisions_total", "Requests, by what was decided."),
    counter(
        "revocation_would_refuse_total",
        "Requests that were only observed and would have been refused.",
    ),
    counter(
        "revocation_doubtful_credentials_total",
        "Credentials that are not as they should be, by what is wrong.",
    ),
    counter("revocation_messages_total", "Messages, by what became of them."),
    counter("revocation_events_applied_total", "Events put in force."),
    histogram(ENFORCEMENT_DELAY, "From a revocation's own time to in force here."),
    counter(POLLS, "Fetches of the list, by what came of them."),
    histogram(POLL_DURATION, "How long fetches of the list took."),
    gauge(
        "revocation_poll_consecutive_failures",
        Unit::Count,
        "Fetches that failed since the last success.",
    ),
    gauge(
        "revocation_poll_success_timestamp_seconds",
        Unit::Seconds,
        "When a list was last fetched or confirmed.",
    ),
    gauge(
        "revocation_signing_keys",
        Unit::Count,
        "Signing keys of the issuer that are known.",
    ),
    gauge(
        "revocation_signing_keys_fetched_timestamp_seconds",
        Unit::Seconds,
        "When they were last fetched.",
    ),
    whether("revocation_ready", "Whether requests are answered by what is known."),
    whether("revocation_fresh", "Whether the list is younger than its maximum age."),
    gauge("revocation_snapshot_entries", Unit::Count, "Keys on the list in force."),
    gauge("revocation_snapshot_bytes", Unit::Bytes, "Memory that the list takes."),
    gauge(
        "revocation_snapshot_refreshed_timestamp_seconds",
        Unit::Seconds,
        "When the list in force was fetched or confirmed.",
    ),
    gauge(
        "revocation_snapshot_issued_timestamp_seconds",
        Unit::Seconds,
        "When the list in force was issued.",
    ),
    gauge(
        "revocation_snapshot_max_age_seconds",
        Unit::Seconds,
        "How old the list may become.",
    ),
    gauge("revocation_overlay_entries", Unit::Count, "Keys that events hold."),
    gauge("revocation_overlay_capacity", Unit::Count, "Keys that events may hold."),
    gauge("revocation_overlay_bytes", Unit::Bytes, "Memory that events take."),
    whether(
        "revocation_feed_state",
        "The state of the event feed: one of them is 1.",
    ),
    gauge(
        "revocation_feed_signal_timestamp_seconds",
        Unit::Seconds,
        "When the broker last gave a sign of life.",
    ),
    gauge(
        "revocation_feed_event_timestamp_seconds",
        Unit::Seconds,
        "When the last event was applied.",
    ),
    gauge(
        "revocation_feed_heartbeat_timestamp_seconds",
        Unit::Seconds,
        "When the issuer sent the newest heartbeat.",
    ),
    gauge("revocation_feed_lag_messages", Unit::Count, "Messages still to come."),
    gauge(
        "revocation_feed_unacknowledged_messages",
        Unit::Count,
        "Messages taken in and not settled.",
    ),
    whether(
        "revocation_feed_gap_open",
        "Whether messages may have been missed, and no list was fetched since.",
    ),
    counter("revocation_feed_gaps_total", "How often messages may have been missed."),
    counter("revocation_feed_opened_total", "How often the feed was opened."),
    gauge(
        "revocation_streams_waiting",
        Unit::Count,
        "Admitted work that waits and would be woken.",
    ),
    counter("revocation_streams_woken_total", "How often admitted work was woken."),
    counter("revocation_streams_cut_total", "Admitted work that a revocation ended."),
    counter(
        "revocation_streams_would_cut_total",
        "Admitted work that was only observed and would have been ended.",
    ),
    gauge(
        "revocation_canary_proof_timestamp_seconds",
        Unit::Seconds,
        "When the newest canary that is refused was revoked.",
    ),
    gauge(
        "revocation_canary_max_age_seconds",
        Unit::Seconds,
        "How old the newest proof may become.",
    ),
    whether(
        "revocation_canary_overdue",
        "Whether the next canary should be refused by now.",
    ),
    whether("revocation_journal_durable", "Whether events can be made durable."),
    gauge(
        "revocation_journal_entries",
        Unit::Count,
        "Keys that the journal keeps.",
    ),
    gauge(
        "revocation_journal_bytes",
        Unit::Bytes,
        "What the journal takes on disk.",
    ),
    counter(
        "revocation_journal_failures_total",
        "Attempts of the journal to write that failed.",
    ),
    gauge(
        "revocation_exported_timestamp_seconds",
        Unit::Seconds,
        "When counters and gauges were last written.",
    ),
];
