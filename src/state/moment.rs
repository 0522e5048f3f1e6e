//! Times as states of keys compare them.

use crate::model::timestamp::Timestamp;

/// A time, or never: milliseconds since the epoch plus one, so that the epoch itself is not never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    pub(super) const NEVER: Self = Self(0);

    pub(super) const fn at(time: Timestamp) -> Self {
        Self(time.as_unix_millis().saturating_add(1))
    }

    /// Up to when a cut-off at this time reaches. On a whole second it stands for all of that second, as in documents
    /// that know no fractions.
    pub(super) const fn cut_off(at: Timestamp) -> Self {
        Self::at(at).as_cut_off()
    }

    pub(super) const fn as_cut_off(self) -> Self {
        match self.0 % 1000 {
            1 => Self(self.0.saturating_add(999)),
            _ => self,
        }
    }

    pub(super) const fn is_set(self) -> bool {
        self.0 != 0
    }

    /// Whether a cut-off up to this time refuses what was issued at `issued_at`. A whole second counts as its beginning,
    /// whatever fraction it lacks.
    pub(super) fn cuts(self, issued_at: Option<Timestamp>) -> bool {
        self.is_set() && issued_at.is_none_or(|issued_at| Self::at(issued_at) <= self)
    }

    /// For storage.
    #[cfg(feature = "journal")]
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    #[cfg(feature = "journal")]
    pub(crate) const fn of_bits(bits: u64) -> Self {
        Self(bits)
    }
}
