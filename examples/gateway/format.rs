//! The format of the queue's messages.

use clap::ValueEnum;
use tower_revocation::format::clawdentity::ClawdentityEvents;
use tower_revocation::format::revocation::RevocationEvents;
use tower_revocation::{Decode, DecodeError, Decoded, Placed};

/// What the queue's messages are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The upstream system's own.
    Clawdentity,
    /// CloudEvents, each with its place in its issuer's log.
    Revocation,
}

/// Reads the queue's messages.
#[derive(Clone, Debug)]
pub(crate) enum QueueEvents {
    Clawdentity(ClawdentityEvents),
    Revocation(RevocationEvents),
}

impl Format {
    /// The decoder of it. `source` is the issuer's name.
    pub(crate) fn events(self, source: Option<&str>) -> QueueEvents {
        match self {
            Self::Clawdentity => QueueEvents::Clawdentity(ClawdentityEvents::new()),
            Self::Revocation => QueueEvents::Revocation(RevocationEvents::from_source(source.unwrap_or_default())),
        }
    }
}

impl Decode for QueueEvents {
    fn decode(&self, message: &[u8]) -> Result<Decoded, DecodeError> {
        self.decode_placed(message).decoded
    }

    fn decode_placed(&self, message: &[u8]) -> Placed {
        match self {
            Self::Clawdentity(events) => events.decode_placed(message),
            Self::Revocation(events) => events.decode_placed(message),
        }
    }
}
