//! How often something was seen in requests that an operator should hear of.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use crate::domain::health::millis;
use crate::status::{DoubtfulStatus, SightingStatus};

/// How often each kind of doubtful credential was presented.
#[derive(Debug, Default)]
pub(crate) struct Doubtful {
    pub(super) issued_in_future: Sightings,
    pub(super) without_keys: Sightings,
}

impl Doubtful {
    pub(super) fn status(&self, age: Duration) -> DoubtfulStatus {
        DoubtfulStatus {
            issued_in_future: self.issued_in_future.status(age),
            without_keys: self.without_keys.status(age),
        }
    }
}

/// How often something was seen, and when last.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    count: AtomicU64,
    /// In milliseconds of the domain's age, plus one; zero for never.
    last: AtomicU64,
}

impl Sightings {
    /// Counts one. Returns whether there was none for a while: then it is worth a line in the log. Of several at the same time, one is.
    pub(super) fn count(&self, age: Duration) -> bool {
        self.count.fetch_add(1, Ordering::Relaxed);
        let now = millis(age).saturating_add(1);
        let before = self.last.swap(now, Ordering::Relaxed);
        before == 0 || now.saturating_sub(before) > millis(REMEMBERED)
    }

    fn status(&self, age: Duration) -> SightingStatus {
        let last = self.last.load(Ordering::Relaxed);
        SightingStatus {
            count: self.count.load(Ordering::Relaxed),
            last_ms_ago: (last != 0).then(|| millis(age).saturating_add(1).saturating_sub(last)),
        }
    }
}

/// Whether a credential has named its session since a door ended one.
#[derive(Debug, Default)]
pub(crate) struct SessionSightings {
    pub(super) state: AtomicU8,
    /// How many credentials had been presented when the first session was ended.
    pub(super) presented_before: AtomicU64,
}

/// Nobody has to know.
pub(super) const IDLE: u8 = 0;
/// A session was ended, and no credential has named one since.
pub(super) const LOOKING: u8 = 1;
/// A credential has named its session.
pub(super) const SEEN: u8 = 2;

/// How long after the last one it is still a concern, and how long there must have been none before the log tells again.
pub(super) const REMEMBERED: Duration = Duration::from_secs(10 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_after_a_while_is_news_and_the_count_goes_on() {
        let sightings = Sightings::default();
        assert_eq!(
            (
                sightings.status(REMEMBERED).count,
                sightings.status(REMEMBERED).last_ms_ago
            ),
            (0, None)
        );
        let second = Duration::from_secs(1);
        assert!(sightings.count(Duration::ZERO), "also at the very beginning");
        assert!(!sightings.count(Duration::ZERO));
        assert!(!sightings.count(REMEMBERED));
        assert!(!sightings.count(2 * REMEMBERED));
        let shown = sightings.status(2 * REMEMBERED + second);
        assert_eq!((shown.count, shown.last_ms_ago), (4, Some(1_000)));
        assert!(sightings.count(3 * REMEMBERED + second));
    }
}
