//! The event feed.

use serde::Serialize;

/// The event feed.
///
/// Without the crate's own loop (feature `source`) only the state, the last event and the last heartbeat are known.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct FeedStatus {
    /// Its name, such as `nats:revocations`.
    pub source: Option<String>,
    /// What its consumer last said of it.
    pub state: FeedState,
    /// For how long it has been so; `None` before anything was said of it.
    pub state_for_ms: Option<u64>,
    /// How long ago the last event was applied.
    pub last_event_ms_ago: Option<u64>,
    /// How long ago the broker last gave a sign of life.
    pub last_signal_ms_ago: Option<u64>,
    /// How long ago the issuer sent the newest heartbeat that came in, by its own clock. A broker proves no more than itself;
    /// this proves the whole path.
    pub last_heartbeat_ms_ago: Option<u64>,
    /// How many messages are still to come; `None` while the feed is down, and where the broker does not say.
    pub lag: Option<u64>,
    /// How many messages were taken in and are not settled: waiting for the journal's disk, or to be tried again.
    pub unacknowledged: usize,
    /// How often it was opened since the start.
    pub opened: u64,
    /// How often messages may have been missed.
    pub gaps: u64,
    /// The latest of these.
    pub last_gap: Option<GapStatus>,
    /// Why it could last not be opened or read. It stays after things went well again.
    pub last_error: Option<String>,
}

/// Messages that may have been missed.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct GapStatus {
    /// Why.
    pub reason: String,
    /// How long ago it was noticed.
    pub ms_ago: u64,
    /// Whether no list was fetched since that would make up for it.
    pub is_open: bool,
}

/// What the consumer of the event feed says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FeedState {
    /// Nothing yet. The poller keeps its fast pace. The default.
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
    /// All of them.
    #[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "only metrics name them all"))]
    pub(crate) const ALL: [Self; 5] = [
        Self::Unknown,
        Self::Connecting,
        Self::CatchingUp,
        Self::Live,
        Self::Down,
    ];

    /// Its name in JSON: `unknown`, `connecting`, `catching-up`, `live` or `down`.
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
