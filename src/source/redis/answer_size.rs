//! How many entries are asked for at once.

use std::time::Duration;

/// How many entries are asked for at once, so that an answer is neither large nor late.
///
/// The server counts entries and not bytes, and an entry may be a revocation or a batch of a million. An answer that is thrown away,
/// since it does not come in time, would be asked for again and again.
#[derive(Debug)]
pub(super) struct AnswerSize {
    count: usize,
}

impl AnswerSize {
    pub(super) const fn new() -> Self {
        Self { count: FIRST }
    }

    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// Learns from an answer of so many entries and bytes. One that is not full may have waited for its first entry.
    pub(super) fn learn(&mut self, entries: usize, bytes: usize, took: Duration) {
        if bytes > LARGE || (entries >= self.count && took > LATE) {
            self.count = (self.count / 2).max(1);
        } else if entries >= self.count && bytes < LARGE / 2 && took < LATE / 4 {
            self.count = (self.count * 2).min(MOST);
        }
    }
}

const FIRST: usize = 16;

/// More make reading no faster.
const MOST: usize = 512;

const LARGE: usize = 1024 * 1024;
const LATE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(1);

    #[test]
    fn grows_while_answers_are_full_and_quick() {
        let mut size = AnswerSize::new();
        size.learn(FIRST - 1, 0, QUICK);
        assert_eq!(size.count(), FIRST, "nothing more was there");
        for _ in 0..10 {
            size.learn(size.count(), 1_000, QUICK);
        }
        assert_eq!(size.count(), MOST);
    }

    #[test]
    fn shrinks_to_what_a_slow_link_carries_and_to_what_is_not_large() {
        let entry = 20_000;
        for bytes_a_second in [1_250_000, 125_000, 10_000] {
            let mut size = AnswerSize::new();
            let mut took = Duration::ZERO;
            for _ in 0..20 {
                let bytes = size.count() * entry;
                took = Duration::from_secs_f64(bytes as f64 / f64::from(bytes_a_second));
                size.learn(size.count(), bytes, took);
            }
            assert!(took < 2 * LATE || size.count() == 1, "{took:?}");
        }
        let mut size = AnswerSize::new();
        for _ in 0..20 {
            size.learn(size.count(), size.count() * 600_000, QUICK);
        }
        assert_eq!(size.count(), 1);
    }

    #[test]
    fn what_waits_for_its_first_entry_is_not_late() {
        let mut size = AnswerSize::new();
        size.learn(1, 100, LATE * 2);
        assert_eq!(size.count(), FIRST);
    }
}
