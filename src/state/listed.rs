//! One entry of a list, in memory.

use crate::model::event::{Effect, Reason};
use crate::model::timestamp::Timestamp;
use crate::state::key_state::KeyState;

/// One entry: eight bytes beside its fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    at_secs: u32,
    /// The last one of the second if the list states no fraction. A whole second that has one counts as such, too.
    at_millis: u16,
    reason: Reason,
    /// Two bits, so that eight bytes are enough.
    flags: u8,
}

impl Listed {
    pub(crate) fn new(effect: Effect, at: Timestamp, reason: Reason) -> Self {
        let blocks = if effect == Effect::Block { BLOCKS } else { 0 };
        let withdraws = if reason.withdraws() { WITHDRAWS } else { 0 };
        Self {
            // Later years than 2106 count as 2106: a list that gives milliseconds for seconds still revokes.
            at_secs: u32::try_from(at.as_unix_secs()).unwrap_or(u32::MAX),
            at_millis: match (at.as_unix_millis() % 1000) as u16 {
                0 => 999,
                millis => millis,
            },
            reason,
            flags: blocks | withdraws,
        }
    }

    #[inline]
    pub(crate) fn key_state(&self) -> KeyState {
        let effect = match self.flags & BLOCKS {
            0 => Effect::CutOff,
            _ => Effect::Block,
        };
        let at = Timestamp::from_unix_millis(u64::from(self.at_secs) * 1000 + u64::from(self.at_millis));
        KeyState::listed(effect, at, self.reason, self.flags & WITHDRAWS != 0)
    }

    pub(crate) fn join(self, other: Self) -> Self {
        let at = |listed: Self| (listed.at_secs, listed.at_millis);
        let newer = if at(other) > at(self) { other } else { self };
        Self {
            flags: self.flags | other.flags,
            ..newer
        }
    }
}

/// It is a block, and no cut-off.
const BLOCKS: u8 = 1;
/// It is more than a rotation.
const WITHDRAWS: u8 = 2;
