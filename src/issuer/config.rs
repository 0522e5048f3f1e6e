//! What a host sets.

use std::time::Duration;

use crate::sink::EventSink;

/// What a host sets for an issuer.
#[derive(Clone, Debug)]
pub(super) struct IssuerConfig {
    pub(super) heartbeat: Duration,
    pub(super) canary: Option<Duration>,
    pub(super) sink: Option<EventSink>,
}

impl Default for IssuerConfig {
    fn default() -> Self {
        Self {
            heartbeat: DEFAULT_HEARTBEAT,
            canary: None,
            sink: None,
        }
    }
}

/// How often an issuer says where its log ends: once a second.
pub const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(1);

/// How long one call of a publisher may take: 10 seconds.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
