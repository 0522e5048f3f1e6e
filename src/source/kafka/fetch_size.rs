//! How much is asked for at once.

use std::time::Duration;

/// How many bytes are asked for at once: less after each answer that took long to come, so that a slow link is no dead one.
#[derive(Clone, Copy, Debug)]
pub(super) struct FetchSize(i32);

impl FetchSize {
    pub(super) const fn bytes(self) -> i32 {
        self.0
    }

    /// Notes how long it took to get an answer, beside the time that the broker was told to wait.
    pub(super) fn took(&mut self, time: Duration) {
        self.0 = match time {
            late if late > LATE => (self.0 / 2).max(LEAST),
            early if early < LATE / 4 => self.0.saturating_mul(2).min(MOST),
            _ => self.0,
        };
    }
}

impl Default for FetchSize {
    fn default() -> Self {
        Self(MOST)
    }
}

const MOST: i32 = 1024 * 1024;
const LEAST: i32 = 16 * 1024;
const LATE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_halved_while_answers_are_late_and_recovers() {
        let mut size = FetchSize::default();
        for _ in 0..10 {
            size.took(LATE * 2);
        }
        assert_eq!(size.bytes(), LEAST);
        size.took(LATE / 2);
        assert_eq!(size.bytes(), LEAST, "it fits");
        for _ in 0..10 {
            size.took(Duration::ZERO);
        }
        assert_eq!(size.bytes(), MOST);
    }
}
