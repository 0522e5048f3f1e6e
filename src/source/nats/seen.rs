//! Up to where everything of a stream was seen.

/// Up to where everything was seen: what lies behind the last message that was given is none, or none of this reader's.
///
/// What was seen and is gone when the stream is opened anew is no gap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) delivered: u64,
    pub(super) to: u64,
}

impl Seen {
    pub(super) const fn delivered(sequence: u64) -> Self {
        Self {
            delivered: sequence,
            to: sequence,
        }
    }

    pub(super) fn and_to(self, sequence: u64) -> Self {
        Self {
            to: self.to.max(sequence),
            ..self
        }
    }
}
