//! Pauses between attempts.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// Pauses between attempts: each is twice as long as the one before, up to a longest one.
#[derive(Debug)]
pub(crate) struct Backoff {
    pauses: ExponentialBackoff,
    longest: Duration,
}

impl Backoff {
    /// Returns pauses from the shortest to the longest.
    #[cfg(any(feature = "journal", feature = "source"))]
    pub(crate) fn new(shortest: Duration, longest: Duration) -> Self {
        Self::of(ExponentialBuilder::new(), shortest, longest)
    }

    /// Returns pauses of which each has up to as much again added at random, so that many replicas do not try all at once.
    #[cfg(any(feature = "crl-poll", feature = "source"))]
    pub(crate) fn jittered(shortest: Duration, longest: Duration) -> Self {
        Self::of(ExponentialBuilder::new().with_jitter(), shortest, longest)
    }

    fn of(builder: ExponentialBuilder, shortest: Duration, longest: Duration) -> Self {
        let builder = builder
            .with_min_delay(shortest)
            .with_max_delay(longest)
            .without_max_times();
        Self {
            pauses: builder.build(),
            longest,
        }
    }

    /// Leaves out the pauses after so many attempts that were made before.
    #[cfg(feature = "source")]
    pub(crate) fn after(mut self, attempts: u32) -> Self {
        for _ in 0..attempts.min(ENOUGH_TO_BE_LONG) {
            self.pause();
        }
        self
    }

    /// Returns the next pause.
    pub(crate) fn pause(&mut self) -> Duration {
        self.pauses.next().unwrap_or(self.longest)
    }
}

/// After so many attempts every pause in this crate is the longest.
#[cfg(feature = "source")]
const ENOUGH_TO_BE_LONG: u32 = 10;

#[cfg(all(test, feature = "source"))]
mod tests {
    use super::*;

    const SHORTEST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(5);

    #[test]
    fn pauses_double_up_to_the_longest_and_never_end() {
        let mut backoff = Backoff::new(SHORTEST, LONGEST);
        let pauses: Vec<_> = (0..100).map(|_| backoff.pause().as_secs()).collect();
        assert_eq!(pauses[..5], [1, 2, 4, 5, 5]);
        assert_eq!(pauses[99], 5);
    }

    #[test]
    fn goes_on_after_attempts_that_were_made_before_however_many() {
        let mut backoff = Backoff::new(SHORTEST, LONGEST).after(2);
        assert_eq!(backoff.pause(), Duration::from_secs(4));
        let mut backoff = Backoff::new(SHORTEST, LONGEST).after(u32::MAX);
        assert_eq!(backoff.pause(), LONGEST);
    }

    #[test]
    fn a_jitter_adds_up_to_as_much_again() {
        for _ in 0..100 {
            let pause = Backoff::jittered(SHORTEST, LONGEST).pause();
            assert!((SHORTEST..=2 * SHORTEST).contains(&pause), "{pause:?}");
        }
    }
}
