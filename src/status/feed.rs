//! The status of the event feed.

use serde::Serialize;

/// Shows the status of the event feed.
///
/// Without the crate's own loop (feature `source`) only the state, the last event and the last heartbeat are known.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct FeedStatus {
    /// Its name, such as `nats:revocations`.
    pub source: Option<String>,
    /// The state that its consumer reported last.
    pub state: FeedState,
    /// For how long it has been in this state; `None` before a state was reported.
    pub state_for_ms: Option<u64>,
    /// How long ago the last event was applied.
    pub last_event_ms_ago: Option<u64>,
    /// How long ago the broker last gave a sign of life.
    pub last_signal_ms_ago: Option<u64>,
    /// How long ago the issuer sent the newest heartbeat that came in, by the issuer's clock. A sign of life from the
    /// broker proves only that the broker is there; a heartbeat proves the whole path.
    pub last_heartbeat_ms_ago: Option<u64>,
    /// How many messages are still to come; `None` while the feed is down, and if the broker does not say.
    pub lag: Option<u64>,
    /// By how many milliseconds the copy of the log that is read is behind, or for how long it has been cut off; `None` if it is not,
    /// or if no copy is read.
    pub behind_ms: Option<u64>,
    /// How many messages were taken in and are not settled: they wait for the journal's disk, or to be tried again.
    pub unacknowledged: usize,
    /// How often it was opened since the start.
    pub opened: u64,
    /// How often messages may have been skipped.
    pub gaps: u64,
    /// The latest gap.
    pub last_gap: Option<GapStatus>,
    /// Why it could not be opened or read the last time that this failed. It stays after a success.
    pub last_error: Option<String>,
}

/// Describes a gap: messages that may have been skipped.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct GapStatus {
    /// Why they may have been skipped.
    pub reason: String,
    /// How long ago it was noticed.
    pub ms_ago: u64,
    /// Whether the domain still needs a list because of it.
    pub is_open: bool,
}

/// Says how the event feed is, as its consumer reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FeedState {
    /// Nothing was reported yet. The poller keeps its fast pace. The default.
    #[default]
    Unknown,
    /// It is being connected.
    Connecting,
    /// It is connected, and older events are still coming in.
    CatchingUp,
    /// It is connected, and events come in as they happen: the poller slows down.
    Live,
    /// It is disconnected: the poller speeds up.
    Down,
}

impl FeedState {
    /// All states.
    #[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "only metrics name them all"))]
    pub(crate) const ALL: [Self; 5] = [
        Self::Unknown,
        Self::Connecting,
        Self::CatchingUp,
        Self::Live,
        Self::Down,
    ];

    /// Returns its name in JSON: `unknown`, `connecting`, `catching-up`, `live` or `down`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Connecting => "connecting",
            Self::CatchingUp => "catching-up",
            Self::Live => "live",
            Self::Down => "down",
        }
    }
}
