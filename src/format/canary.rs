//! An issuer's canary, in a feed beside its events.

use crate::format::signal;
use crate::model::canary::revocation;
use crate::model::decode::{Decode, DecodeError, Decoded, Placed};
use crate::model::timestamp::Timestamp;

/// Reads revocations of the [canary](canary()) in a feed, and passes all other messages to the decoder of the issuer's
/// events.
///
/// ```
/// use tower_revocation::format::{Canaries, canary};
/// use tower_revocation::{Decode, DecodeError, Decoded, Key, Revocation, Timestamp, canary::revocation};
///
/// let events = |_: &[u8]| Ok::<_, DecodeError>(Decoded::from(Revocation::block(Key::subject("agent-7"))));
/// let decode = Canaries::beside(events);
/// let now = Timestamp::now();
/// assert_eq!(decode.decode(&canary(now)).unwrap(), Decoded::from(revocation(now)));
/// assert!(matches!(decode.decode(b"agent-7 is out").unwrap(), Decoded::Events(_)));
/// ```
///
/// The canary takes the same way as events do, except for the decoder that reads them. If an issuer's own messages can
/// carry a cut-off, its canary should be such a message, read as
/// [`canary::revocation`](crate::model::canary::revocation).
///
/// # Errors
///
/// Returns the errors of the events' decoder, and `at_ms` if a canary does not say when it was revoked.
///
/// # Security
///
/// Canaries are not signed: anybody who may publish can make the path look alive.
#[derive(Clone, Copy, Debug, Default)]
pub struct Canaries<D>(D);

impl<D> Canaries<D> {
    /// Returns a decoder of canaries and of all that `events` reads.
    #[must_use]
    pub const fn beside(events: D) -> Self {
        Self(events)
    }
}

impl<D: Decode> Decode for Canaries<D> {
    fn decode(&self, message: &[u8]) -> Result<Decoded, DecodeError> {
        match signal::read(CANARY_TYPE, message) {
            None => self.0.decode(message),
            Some(at) => Ok(Decoded::from(revocation(at?))),
        }
    }

    fn decode_placed(&self, message: &[u8]) -> Placed {
        match signal::read(CANARY_TYPE, message) {
            None => self.0.decode_placed(message),
            Some(at) => at.map(|at| Decoded::from(revocation(at))).into(),
        }
    }
}

/// Returns what an issuer publishes to revoke its canary: `{"type":"revocation.canary","at_ms":1767225600250}`, with
/// its own time in milliseconds since the epoch. Use a new time each time: one that was used before proves nothing.
#[must_use]
pub fn canary(at: Timestamp) -> Vec<u8> {
    signal::write(CANARY_TYPE, at)
}

/// The `type` of a canary's revocation.
pub const CANARY_TYPE: &str = "revocation.canary";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_canaries_and_leaves_the_rest() {
        let events = |_: &[u8]| Ok(Decoded::Ignored("other".into()));
        let decode = Canaries::beside(events);
        let at = Timestamp::from_unix_millis(1_767_225_600_250);
        let message = canary(at);
        assert_eq!(message, br#"{"type":"revocation.canary","at_ms":1767225600250}"#);
        assert_eq!(decode.decode(&message).unwrap(), Decoded::from(revocation(at)));
        let undated = decode.decode(br#"{"type":"revocation.canary"}"#);
        assert_eq!(undated.unwrap_err().field(), "at_ms");
        for other in [&b"garbage"[..], br#"{"type":"revocation.heartbeat","at_ms":1}"#] {
            assert_eq!(decode.decode(other).unwrap(), Decoded::Ignored("other".into()));
        }
    }
}
