//! Where a partition ends.

use std::time::Duration;

use tokio::time::Instant;

/// Where a partition ends, as its leader said when it was asked, and which of its ends is to be reached.
#[derive(Debug)]
pub(super) struct PartitionEnd {
    newest: i64,
    /// Since when it lies before what was read.
    behind_since: Option<Instant>,
    /// An end that was not reached yet, and when it was told.
    goal: (i64, Instant),
}

impl PartitionEnd {
    pub(super) fn new(end: i64) -> Self {
        Self {
            newest: end,
            behind_since: None,
            goal: (end, Instant::now()),
        }
    }

    /// Notes where it ends, as was asked at that time, and up to where it was read.
    pub(super) fn told(&mut self, end: i64, asked: Instant, next: i64) {
        self.newest = end;
        self.behind_since = match end < next {
            true => self.behind_since.or_else(|| Some(Instant::now())),
            false => None,
        };
        // On a busy topic the newest end may never be reached, since others publish, or begin transactions, all the time.
        if self.goal.0 <= next || asked.duration_since(self.goal.1) > FRESH {
            self.goal = (end, asked);
        }
    }

    /// Returns an end that the leader told a moment ago and that is to be reached. There is none while it tells of less than
    /// was read: just elected, it does not know how far everybody has come.
    pub(super) fn to_reach(&self) -> Option<i64> {
        let is_fresh = self.behind_since.is_none() && self.goal.1.elapsed() <= FRESH;
        is_fresh.then_some(self.goal.0)
    }

    /// Returns for how long it has been before what was read.
    pub(super) fn behind_for(&self) -> Duration {
        self.behind_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Returns how many records come after an offset, as far as is known.
    pub(super) fn lag(&self, next: i64) -> u64 {
        u64::try_from(self.newest - next).unwrap_or_default()
    }
}

/// For how long what somebody said of the end or the leader counts.
pub(super) const FRESH: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_end_stays_to_be_reached_while_newer_ones_come() {
        let mut end = PartitionEnd::new(10);
        assert_eq!(end.to_reach(), Some(10));
        end.told(20, Instant::now(), 5);
        assert_eq!((end.to_reach(), end.lag(5)), (Some(10), 15));
        end.told(30, Instant::now(), 10);
        assert_eq!(end.to_reach(), Some(30));
        advance(FRESH + Duration::from_millis(1)).await;
        assert_eq!(end.to_reach(), None, "nobody was asked");
        end.told(40, Instant::now(), 10);
        assert_eq!(end.to_reach(), Some(40));
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_before_what_was_read_is_none() {
        let mut end = PartitionEnd::new(10);
        end.told(8, Instant::now(), 10);
        advance(Duration::from_secs(1)).await;
        end.told(9, Instant::now(), 10);
        assert_eq!((end.to_reach(), end.lag(10)), (None, 0));
        assert_eq!(end.behind_for(), Duration::from_secs(1));
        end.told(10, Instant::now(), 10);
        assert_eq!((end.to_reach(), end.behind_for()), (Some(10), Duration::ZERO));
    }
}
