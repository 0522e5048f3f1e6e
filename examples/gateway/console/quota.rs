//! A limit to how much of a flood is written down.

use tokio::time::{Duration, Instant};

/// Grants so many a second, and counts the rest.
#[derive(Debug)]
pub(crate) struct Quota {
    allowed: u32,
    began: Instant,
    used: u32,
    withheld: u64,
}

impl Quota {
    pub(crate) fn new(allowed: u32) -> Self {
        Self {
            allowed,
            began: Instant::now(),
            used: 0,
            withheld: 0,
        }
    }

    /// Whether one more may be written down.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        if now.duration_since(self.began) >= SECOND {
            (self.began, self.used) = (now, 0);
        }
        if self.used < self.allowed {
            self.used += 1;
            return true;
        }
        self.withheld += 1;
        false
    }

    /// How many were not since this was last asked, if there were any and the second is over.
    pub(crate) fn settle(&mut self, now: Instant) -> Option<u64> {
        let is_over = now.duration_since(self.began) >= SECOND;
        (is_over && self.withheld > 0).then(|| std::mem::take(&mut self.withheld))
    }
}

const SECOND: Duration = Duration::from_secs(1);
