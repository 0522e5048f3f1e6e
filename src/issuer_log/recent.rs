//! The digests of what was read lately.

use std::collections::VecDeque;

use crate::model::log_place::LogDigest;

/// The digests of the last messages of a log, so that one that comes again is told from another under the same number.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// The number of the first.
    first: u64,
    digests: VecDeque<LogDigest>,
}

impl Recent {
    /// Adds a message. One that does not follow the last one begins anew.
    pub(super) fn push(&mut self, n: u64, digest: LogDigest) {
        if self.first + self.digests.len() as u64 != n {
            self.digests.clear();
            self.first = n;
        }
        if self.digests.len() == REMEMBERED {
            self.digests.pop_front();
            self.first += 1;
        }
        self.digests.push_back(digest);
    }

    /// Returns the digest of a message; `None` if it is too old, or was not read.
    pub(super) fn get(&self, n: u64) -> Option<LogDigest> {
        let index = usize::try_from(n.checked_sub(self.first)?).ok()?;
        self.digests.get(index).copied()
    }
}

/// How many messages of a log are remembered: 64 KiB of memory.
const REMEMBERED: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_remembered_by_number() {
        let digest = |n: u64| LogDigest::from_bytes(u128::from(n).to_be_bytes());
        let mut recent = Recent::default();
        for n in 1..=5000 {
            recent.push(n, digest(n));
        }
        assert_eq!(recent.get(5000), Some(digest(5000)));
        assert_eq!(recent.get(905), Some(digest(905)));
        assert_eq!((recent.get(904), recent.get(5001), recent.get(0)), (None, None, None));
        // A list covers what was not read.
        recent.push(6000, digest(6000));
        assert_eq!((recent.get(5000), recent.get(6000)), (None, Some(digest(6000))));
    }
}
