//! An issuer's heartbeat, in a feed beside its events.

use crate::format::signal;
use crate::model::decode::{Decode, DecodeError, Decoded, Placed};
use crate::model::timestamp::Timestamp;

/// Reads [heartbeats](heartbeat) in a feed, and passes all other messages to the decoder of the issuer's events.
///
/// A broker that answers proves that it is there itself. Only the issuer can show that it can still reach the broker:
/// by a heartbeat every few seconds, on the same path as its events. The age of the newest is in
/// [`status`](crate::status::FeedStatus::last_heartbeat_ms_ago).
///
/// ```
/// use tower_revocation::format::{Heartbeats, heartbeat};
/// use tower_revocation::{Decode, DecodeError, Decoded, Key, Revocation, Timestamp};
///
/// let events = |_: &[u8]| Ok::<_, DecodeError>(Decoded::from(Revocation::block(Key::subject("agent-7"))));
/// let decode = Heartbeats::beside(events);
/// let now = Timestamp::now();
/// assert_eq!(decode.decode(&heartbeat(now)).unwrap(), Decoded::Heartbeat(now));
/// assert!(matches!(decode.decode(b"agent-7 is out").unwrap(), Decoded::Events(_)));
/// ```
///
/// # Errors
///
/// Returns the errors of the events' decoder, and `at_ms` if a heartbeat does not say when it was sent.
///
/// # Security
///
/// Heartbeats are not signed: anybody who may publish can make the path look alive.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heartbeats<D>(D);

impl<D> Heartbeats<D> {
    /// Returns a decoder of heartbeats and of all that `events` reads.
    #[must_use]
    pub const fn beside(events: D) -> Self {
        Self(events)
    }
}

impl<D: Decode> Decode for Heartbeats<D> {
    fn decode(&self, message: &[u8]) -> Result<Decoded, DecodeError> {
        match signal::read(HEARTBEAT_TYPE, message) {
            None => self.0.decode(message),
            Some(at) => Ok(Decoded::Heartbeat(at?)),
        }
    }

    fn decode_placed(&self, message: &[u8]) -> Placed {
        match signal::read(HEARTBEAT_TYPE, message) {
            None => self.0.decode_placed(message),
            Some(at) => at.map(Decoded::Heartbeat).into(),
        }
    }
}

/// Returns what an issuer publishes every few seconds: `{"type":"revocation.heartbeat","at_ms":1767225600250}`, with
/// its own time in milliseconds since the epoch.
#[must_use]
pub fn heartbeat(at: Timestamp) -> Vec<u8> {
    signal::write(HEARTBEAT_TYPE, at)
}

/// The `type` of a heartbeat.
pub const HEARTBEAT_TYPE: &str = "revocation.heartbeat";

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(message: &[u8]) -> Result<Decoded, DecodeError> {
        let events = |_: &[u8]| Ok(Decoded::Ignored("other".into()));
        Heartbeats::beside(events).decode(message)
    }

    #[test]
    fn reads_heartbeats_and_leaves_the_rest() {
        let at = Timestamp::from_unix_millis(1_767_225_600_250);
        assert_eq!(
            String::from_utf8(heartbeat(at)).unwrap(),
            r#"{"type":"revocation.heartbeat","at_ms":1767225600250}"#
        );
        let with_more = br#"{"from":"issuer-2","at_ms":1767225600250,"type":"revocation.heartbeat"}"#;
        assert_eq!(decode(with_more).unwrap(), Decoded::Heartbeat(at));
        let mut longest = with_more.to_vec();
        longest.resize(signal::LONGEST, b' ');
        assert_eq!(decode(&longest).unwrap(), Decoded::Heartbeat(at));
        longest.push(b' ');
        assert_eq!(decode(&longest).unwrap(), Decoded::Ignored("other".into()));
        for other in [
            &b"garbage"[..],
            b"{}",
            br#"{"type":"other","at_ms":1}"#,
            br#"["revocation.heartbeat",1767225600250]"#,
            b"",
            &[b' '; 300],
        ] {
            assert_eq!(decode(other).unwrap(), Decoded::Ignored("other".into()));
        }
    }

    #[test]
    fn one_that_does_not_say_when_is_an_error() {
        for at_ms in [
            "",
            r#","at_ms":null"#,
            r#","at_ms":"1""#,
            r#","at_ms":-1"#,
            r#","at_ms":1.5"#,
        ] {
            let message = format!(r#"{{"type":"revocation.heartbeat"{at_ms}}}"#);
            assert_eq!(decode(message.as_bytes()).unwrap_err().field(), "at_ms", "{message}");
        }
    }
}
