//! Wall-clock times as documents and events state them.

use std::fmt;
use std::num::NonZeroU64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Holds a wall-clock time, in milliseconds since the Unix epoch.
///
/// It is used for what documents and events *state* (`iat`, `revokedAt`, the time of an event). Nothing is ever timed
/// with it. Freshness and retention run on the monotonic clock, so a stepped wall clock cannot age a list or forget a
/// revocation.
///
/// Times before the epoch count as the epoch; arithmetic saturates. An `Option` of one takes no more room than the time
/// itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(
    /// One more than the milliseconds, so that none of them is zero.
    NonZeroU64,
);

impl Timestamp {
    /// Returns the time of the system's wall clock.
    #[must_use]
    pub fn now() -> Self {
        Self::from(SystemTime::now())
    }

    /// Returns the time that is so many milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_unix_millis(millis: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(millis))
    }

    /// Returns the time that is so many whole seconds after the Unix epoch, as a JWT's `NumericDate` ([RFC 7519
    /// §2](https://www.rfc-editor.org/rfc/rfc7519#section-2)).
    #[must_use]
    pub const fn from_unix_secs(secs: u64) -> Self {
        Self::from_unix_millis(secs.saturating_mul(1000))
    }

    /// Returns the milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_unix_millis(self) -> u64 {
        self.0.get() - 1
    }

    /// Returns the whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn as_unix_secs(self) -> u64 {
        self.as_unix_millis() / 1000
    }

    /// Returns the same time as one that was read off a clock: known to the millisecond. That is a millisecond later on a whole second,
    /// and otherwise unchanged.
    ///
    /// A cut-off compares milliseconds, and takes a time of a whole second for one that lacks them: it cannot tell them apart. So say
    /// this of the time at which a session of your own begins, and of that of a cut-off.
    ///
    /// ```
    /// use tower_revocation::Timestamp;
    ///
    /// let at = |millis| Timestamp::from_unix_millis(millis).to_the_millisecond();
    /// assert_eq!(at(1_767_225_600_250).as_unix_millis(), 1_767_225_600_250);
    /// assert_eq!(at(1_767_225_600_000).as_unix_millis(), 1_767_225_600_001);
    /// ```
    #[must_use]
    pub const fn to_the_millisecond(self) -> Self {
        match self.as_unix_millis() % 1000 {
            0 => Self(self.0.saturating_add(1)),
            _ => self,
        }
    }

    /// Returns the time `duration` later.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// Returns the time `duration` earlier; the epoch if that is before it.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self::from_unix_millis(self.as_unix_millis().saturating_sub(millis(duration)))
    }

    /// Returns how long ago `earlier` was, seen from this time; zero if it lies ahead.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.get().saturating_sub(earlier.0.get()))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self::from_unix_millis(time.duration_since(UNIX_EPOCH).map_or(0, millis))
    }
}

impl Default for Timestamp {
    /// Returns the Unix epoch.
    fn default() -> Self {
        Self::from_unix_millis(0)
    }
}

impl fmt::Debug for Timestamp {
    /// Writes what [`Display`](fmt::Display) does: the number that is held is another one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self})")
    }
}

impl fmt::Display for Timestamp {
    /// Writes the seconds since the epoch, with thousandths: `1767225600.250`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.as_unix_secs(), self.as_unix_millis() % 1000)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_as_small_as_a_number_and_says_what_it_was_told() {
        assert_eq!(size_of::<Option<Timestamp>>(), 8);
        for millis in [0, 1, 999, 1_767_225_600_250, u64::MAX - 1] {
            assert_eq!(Timestamp::from_unix_millis(millis).as_unix_millis(), millis);
        }
        assert_eq!(Timestamp::from_unix_millis(1_250).to_string(), "1.250");
        assert_eq!(Timestamp::default(), Timestamp::from_unix_secs(0));
    }

    /// `Debug` once showed the number that is held, which is one more.
    #[test]
    fn a_log_shows_the_time_that_it_stands_for() {
        let at = Timestamp::from_unix_millis(1_000);
        assert_eq!(
            format!("{at:?} {:?}", Some(at)),
            "Timestamp(1.000) Some(Timestamp(1.000))"
        );
    }

    #[test]
    fn saturates_instead_of_wrapping() {
        let end = Timestamp::from_unix_millis(u64::MAX);
        assert_eq!(end.saturating_add(Duration::MAX), end);
        assert_eq!(Timestamp::from_unix_secs(u64::MAX), end);
        assert_eq!(
            Timestamp::from_unix_secs(1).saturating_sub(Duration::MAX),
            Timestamp::default()
        );
        assert_eq!(
            Timestamp::default().saturating_since(end),
            Duration::ZERO,
            "a time ahead is no time ago"
        );
        assert_eq!(
            Timestamp::from(UNIX_EPOCH - Duration::from_secs(1)),
            Timestamp::default()
        );
    }
}
