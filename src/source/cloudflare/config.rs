//! What a host may set, and its defaults.

use std::time::Duration;

/// How a queue is pulled from.
#[derive(Clone, Copy)]
pub(super) struct PullConfig {
    pub(super) pace: Duration,
    pub(super) visibility_timeout: Duration,
    pub(super) retention: Duration,
}

impl Default for PullConfig {
    fn default() -> Self {
        Self {
            pace: DEFAULT_PACE,
            visibility_timeout: DEFAULT_VISIBILITY_TIMEOUT,
            retention: DEFAULT_RETENTION,
        }
    }
}

/// How often an empty queue is asked: every half a second.
pub const DEFAULT_PACE: Duration = Duration::from_millis(500);

/// How long a message is leased: 30 seconds.
pub const DEFAULT_VISIBILITY_TIMEOUT: Duration = Duration::from_secs(30);

/// How often Cloudflare delivers a message again, unless told otherwise: 3 times.
pub const DEFAULT_MAX_RETRIES: u32 = 3;

/// How long a queue keeps messages: 1 day, as on the free plan. Paid ones keep them for 4.
pub const DEFAULT_RETENTION: Duration = Duration::from_secs(24 * 60 * 60);
