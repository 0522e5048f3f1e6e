//! How often a list is fetched.

use std::time::Duration;

/// How often a list is fetched, while the event feed is live and while it is not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paces {
    pub(crate) slow: Duration,
    pub(crate) fast: Duration,
}

impl Paces {
    pub(crate) fn set_slow(&mut self, pace: Duration) {
        self.slow = pace.min(SLOWEST_PACE);
    }

    pub(crate) fn set_fast(&mut self, pace: Duration) {
        self.fast = pace.min(SLOWEST_PACE);
    }
}

impl Default for Paces {
    fn default() -> Self {
        Self {
            slow: DEFAULT_SLOW_PACE,
            fast: DEFAULT_FAST_PACE,
        }
    }
}

/// How often the list is fetched while the event feed is live: every 15 minutes.
pub const DEFAULT_SLOW_PACE: Duration = Duration::from_secs(15 * 60);

/// How often the list is fetched while the event feed is not live: every 30 seconds.
pub const DEFAULT_FAST_PACE: Duration = Duration::from_secs(30);

/// How far apart fetches start, however many are asked for: 1 second.
pub const FETCH_GAP: Duration = Duration::from_secs(1);

/// The slowest pace. Clocks overflow somewhere beyond a year.
const SLOWEST_PACE: Duration = Duration::from_secs(365 * 24 * 60 * 60);
