//! Metrics, through the [`metrics`](https://docs.rs/metrics) facade: the recorder that the host has installed gets
//! them.
//!
//! [`Exporter`] writes counters and gauges when it is asked to, or at an interval. Requests count as they do without
//! it, and pay nothing for it. How long things take is recorded when it happens: where events are applied, and where
//! lists are fetched.
//!
//! ```
//! use metrics_exporter_prometheus::PrometheusBuilder;
//! use tower_revocation::metrics::Exporter;
//! use tower_revocation::{RevocationLayer, identify};
//!
//! // The recorder first: what is described before that is lost.
//! let prometheus = PrometheusBuilder::new().install_recorder()?;
//! let (revocation, sink) = RevocationLayer::pair(identify::jwt(http::header::AUTHORIZATION, "Bearer"));
//! let exporter = Exporter::new(sink.clone());
//!
//! // Where Prometheus asks; or `tokio::spawn(exporter.run())`, for recorders that push.
//! exporter.export();
//! assert!(prometheus.render().contains("\nrevocation_ready 0\n"));
//! # drop(revocation);
//! # Ok::<(), metrics_exporter_prometheus::BuildError>(())
//! ```
//!
//! # Names
//!
//! Labels are words from short lists, all of them below, and never an id. The host may add [its
//! own](Exporter::labelled). Timestamps are seconds since the epoch: an age is `time() - timestamp`, so that it grows
//! even if the exporter is stuck. A value that is not known yet is not exported.
//!
//! | Name | Type, unit | Labels | What it says |
//! |---|---|---|---|
//! | `revocation_decisions_total` | counter | `verdict`: `admit`, `anonymous`, `revoked`, `unknown`, `unreadable`; `source`: `event`, `list` if revoked, else `none` | Requests, by what was decided. For `unknown`, the policy says whether all were refused or all admitted. A request that was admitted and whose response was withheld counts as admitted, and as cut. |
//! | `revocation_would_refuse_total` | counter | | Requests that a layer in observe-only mode admitted and would have refused. |
//! | `revocation_doubtful_credentials_total` | counter | `reason`: `issued-in-the-future`, `without-keys` | Credentials that say they were issued in the future, beyond the leeway, and credentials that have no key: see the [concerns](crate::ConcernCode) of the same names. Each is counted as a decision as well. |
//! | `revocation_messages_total` | counter | `disposition`: `applied`, `ignored`, `retry`, `dead-letter`; `reason`: see below | Messages, by what became of them. Each attempt counts. |
//! | `revocation_events_applied_total` | counter | | Events put in force, including those that said nothing new. |
//! | `revocation_enforcement_delay_seconds` | histogram, seconds | `phase`: `live`, `catch-up` | **The headline**: from a revocation's own time, by the issuer's clock, to in force here. `catch-up`: it came while the feed was not live, such as together with older ones after an outage; also while a gap is open or the issuer's heartbeat is late. The journal's write to disk is not included: events are in force before it. Events that do not say when they happened are not included. A difference between the two clocks is. |
//! | `revocation_polls_total` | counter | `outcome`: `installed`, `confirmed`, `none-yet`, `failed`; `reason`: see below | Fetches of the list. |
//! | `revocation_poll_duration_seconds` | histogram, seconds | `outcome` | How long they took, verifying and indexing included. |
//! | `revocation_poll_consecutive_failures` | gauge | | How many failed since the last success. |
//! | `revocation_poll_success_timestamp_seconds` | gauge, seconds | | When a list was last fetched or confirmed by this process. |
//! | `revocation_signing_keys` | gauge | | How many of the issuer's signing keys are known. |
//! | `revocation_signing_keys_fetched_timestamp_seconds` | gauge, seconds | | When they were last fetched. |
//! | `revocation_ready` | gauge, 0 or 1 | | Whether requests are answered by what is known: 0 where the policy refuses everyone. |
//! | `revocation_fresh` | gauge, 0 or 1 | | Whether the list is younger than `max_age`, under either policy. |
//! | `revocation_snapshot_entries` | gauge | | Keys on the list. |
//! | `revocation_snapshot_bytes` | gauge, bytes | | Memory that it takes. |
//! | `revocation_snapshot_refreshed_timestamp_seconds` | gauge, seconds | | When the list in force was fetched or confirmed, by an earlier process perhaps. |
//! | `revocation_snapshot_issued_timestamp_seconds` | gauge, seconds | | Its `iat`. |
//! | `revocation_snapshot_max_age_seconds` | gauge, seconds | | How old it may become: the policy's. |
//! | `revocation_overlay_entries` | gauge | | Keys that events hold. |
//! | `revocation_overlay_capacity` | gauge | | How many keys events may hold. |
//! | `revocation_overlay_bytes` | gauge, bytes | | Memory that they take. They are held twice. |
//! | `revocation_feed_state` | gauge, 0 or 1 | `state`: `unknown`, `connecting`, `catching-up`, `live`, `down` | One of them is 1. |
//! | `revocation_feed_signal_timestamp_seconds` | gauge, seconds | | When the broker last gave a sign of life. |
//! | `revocation_feed_event_timestamp_seconds` | gauge, seconds | | When the last event was applied. |
//! | `revocation_feed_heartbeat_timestamp_seconds` | gauge, seconds | | When the issuer sent the newest heartbeat. |
//! | `revocation_feed_lag_messages` | gauge | | Messages still to come; `NaN` while the broker does not say. |
//! | `revocation_feed_unacknowledged_messages` | gauge | | Messages taken in and not settled. |
//! | `revocation_feed_gap_open` | gauge, 0 or 1 | | Whether messages may have been skipped, and no list was fetched since. |
//! | `revocation_feed_gaps_total` | counter | | How often that happened. |
//! | `revocation_feed_opened_total` | counter | | How often the feed was opened. |
//! | `revocation_streams_waiting` | gauge | | Admitted work that waits and would be woken by its revocation. |
//! | `revocation_streams_woken_total` | counter | | How often such work was woken. |
//! | `revocation_streams_cut_total` | counter | | Admitted work that a revocation ended. |
//! | `revocation_streams_would_cut_total` | counter | | The same, if a layer only observes. |
//! | `revocation_canary_proof_timestamp_seconds` | gauge, seconds | | When the issuer revoked the newest canary that is refused here. |
//! | `revocation_canary_max_age_seconds` | gauge, seconds | | How old that may become: the period and the bound. |
//! | `revocation_canary_overdue` | gauge, 0 or 1 | | Whether the next should be refused by now. |
//! | `revocation_journal_durable` | gauge, 0 or 1 | | Whether events can be made durable. |
//! | `revocation_journal_entries` | gauge | | Keys that the journal holds. |
//! | `revocation_journal_bytes` | gauge, bytes | | What it takes on disk. |
//! | `revocation_journal_failures_total` | counter | | Attempts to write that failed. |
//! | `revocation_exported_timestamp_seconds` | gauge, seconds | | When counters and gauges were last written: shows whether the others are old. |
//!
//! **Reasons of messages**: `none` if applied. Ignored: the decoder's own words, if they are the same for all messages,
//! otherwise `other`. Retry: `at-capacity`, `not-durable`. Dead letters: the name of the field at fault, such as
//! `data.metadata.agentDid`; `from-future`, `given-up`, `batch`. At most 64 are counted apart, and all others are
//! `other`.
//!
//! **Reasons of polls**: `none` unless failed. `body`, `client`, `status`, `timeout`, `too-large`, `nothing-to-modify`
//! (the exchange); `invalid`, `unknown-key` (the document); `rollback`, `install` (a list that may not be installed);
//! `not-all` (another list of the same second is missing), `not-kept` (the journal could not store it); `lost`.

#[cfg(feature = "issuer")]
mod issuer_exporter;
mod exporter;
mod timing;
mod output;
mod catalogue;

pub use exporter::{DEFAULT_INTERVAL, Exporter};
#[cfg(feature = "issuer")]
pub use issuer_exporter::IssuerExporter;
