//! A message's place in its issuer's own log.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Names one log of an issuer: 128 random bits.
///
/// An issuer draws them when it begins a log, and begins a new one whenever it cannot prove that it goes on exactly where the old
/// one ended. Its text is base64url without padding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId([u8; BYTES]);

/// Stands for everything in a log up to one message: the first 128 bits of a SHA-256 that takes in the one before.
///
/// Its text is base64url without padding.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogDigest([u8; BYTES]);

/// Says up to where a log is meant: the first `n` messages of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPosition {
    /// Which log.
    pub log: LogId,
    /// How many messages. The first message of a log has number 1.
    pub n: u64,
    /// What they are.
    pub digest: LogDigest,
}

/// Says what a message states about its issuer's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogPlace {
    /// It is a message of the log.
    Entry {
        /// The log up to it, itself included.
        position: LogPosition,
        /// What came before it.
        prev: LogDigest,
        /// The log that this one continues, if it is the first message.
        after: Option<LogPosition>,
    },
    /// It takes no number, and says where the log ended when it was sent: a heartbeat.
    End {
        /// The whole log; `n` is 0 if it has no message yet.
        position: LogPosition,
        /// The log that this one continues, while it has no message.
        after: Option<LogPosition>,
        /// When the issuer says it again at the latest.
        every: Duration,
    },
}

impl LogPlace {
    /// Returns the log up to this message.
    #[must_use]
    pub const fn position(&self) -> LogPosition {
        match self {
            Self::Entry { position, .. } | Self::End { position, .. } => *position,
        }
    }
}

impl LogPosition {
    /// Returns the beginning of a log: nothing of it.
    #[must_use]
    pub const fn beginning(log: LogId) -> Self {
        Self {
            log,
            n: 0,
            digest: LogDigest([0; BYTES]),
        }
    }
}

macro_rules! bytes_as_base64url {
    ($($name:ident)*) => {$(
        impl $name {
            /// Returns the one of these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; BYTES]) -> Self {
                Self(bytes)
            }

            /// Returns its bytes.
            #[must_use]
            pub const fn to_bytes(self) -> [u8; BYTES] {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = NotBase64Url;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut bytes = [0; BYTES];
                match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
                    Ok(BYTES) => Ok(Self(bytes)),
                    _ => Err(NotBase64Url),
                }
            }
        }
    )*};
}

bytes_as_base64url!(LogId LogDigest);

/// Says that a text is not 16 bytes in base64url without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotBase64Url;

impl fmt::Display for NotBase64Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "is not {BYTES} bytes in base64url")
    }
}

impl std::error::Error for NotBase64Url {}

const BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stands_for_one_log() {
        let log = LogId::from_bytes([7; 16]);
        assert_eq!(log.to_string(), "BwcHBwcHBwcHBwcHBwcHBw");
        assert_eq!(log.to_string().parse(), Ok(log));
        assert_eq!(format!("{log:?}"), "LogId(BwcHBwcHBwcHBwcHBwcHBw)");
        for text in [
            "",
            "BwcHBwcHBwcHBwcHBwcHBw==",
            "BwcHBwcHBwcHBwcHBwcHB",
            "BwcHBwcHBwcHBwcHBwcHBwcH",
            "BwcHBwcHBwcHBwcHBwcH+w",
            "BwcHBwcHBwcHBwcHBwcHBx",
        ] {
            assert_eq!(text.parse::<LogId>(), Err(NotBase64Url), "{text}");
        }
    }
}
