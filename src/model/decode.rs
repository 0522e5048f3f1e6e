//! What a raw message says, and what became of it.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use crate::model::event::Event;
use crate::model::log_place::LogPlace;
use crate::model::timestamp::Timestamp;

/// Reads the messages of one queue.
///
/// A closure is a decoder: `|message: &[u8]| -> Result<Decoded, DecodeError> { … }`. The formats that this crate reads
/// are behind features.
///
/// ```
/// use serde_json::Value;
/// use tower_revocation::{Decode, DecodeError, Decoded, Key, Revocation};
///
/// fn decode(message: &[u8]) -> Result<Decoded, DecodeError> {
///     let message: Value = serde_json::from_slice(message)
///         .map_err(|cause| DecodeError::new("body", "is not JSON").because(cause))?;
///     match message["logout"].as_str() {
///         Some(session) => Ok(Decoded::from(Revocation::block(Key::session(session)))),
///         None => Ok(Decoded::Ignored("not a logout".into())),
///     }
/// }
///
/// assert!(matches!(decode.decode(br#"{"logout":"s-1"}"#), Ok(Decoded::Events(_))));
/// assert_eq!(decode.decode(b"]").unwrap_err().to_string(), "body is not JSON");
/// ```
pub trait Decode {
    /// Reads one message.
    ///
    /// A type that the format does not know is [`Decoded::Ignored`], not an error, so that an issuer may add to its
    /// vocabulary.
    ///
    /// # Errors
    ///
    /// Fails for a message of a known type that cannot be read: it may be a revocation, and becomes a dead letter.
    fn decode(&self, message: &[u8]) -> Result<Decoded, DecodeError>;

    /// Reads one message, and its place in its issuer's own log if it states one: then whatever is missing before it is noticed,
    /// whoever lost it. Defaults to [`decode`](Self::decode), and no place.
    ///
    /// A decoder that passes messages on to another one passes this on as well.
    fn decode_placed(&self, message: &[u8]) -> Placed {
        self.decode(message).into()
    }
}

impl<F> Decode for F
where
    F: Fn(&[u8]) -> Result<Decoded, DecodeError>,
{
    fn decode(&self, message: &[u8]) -> Result<Decoded, DecodeError> {
        self(message)
    }
}

/// Holds what a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decoded {
    /// These events, to be applied together.
    Events(Vec<Event>),
    /// Nothing that concerns revocation, and the reason.
    Ignored(Cow<'static, str>),
    /// The issuer's end of the feed was alive at this time, by the issuer's clock.
    Heartbeat(Timestamp),
    /// A newer list exists, and should be fetched now.
    Refresh,
}

impl<E: Into<Event>> From<E> for Decoded {
    fn from(event: E) -> Self {
        Self::Events(vec![event.into()])
    }
}

/// Holds what a message says, and where in its issuer's own log.
#[derive(Debug)]
pub struct Placed {
    /// What it says. A message that cannot be read may have its place nevertheless.
    pub decoded: Result<Decoded, DecodeError>,
    /// Its place, if it states one.
    pub place: Option<LogPlace>,
}

impl From<Result<Decoded, DecodeError>> for Placed {
    fn from(decoded: Result<Decoded, DecodeError>) -> Self {
        Self { decoded, place: None }
    }
}

impl From<Decoded> for Placed {
    fn from(decoded: Decoded) -> Self {
        Ok(decoded).into()
    }
}

impl From<DecodeError> for Placed {
    fn from(error: DecodeError) -> Self {
        Err(error).into()
    }
}

/// Says why a message cannot be read. It names the field.
#[derive(Debug)]
pub struct DecodeError {
    field: &'static str,
    problem: Cow<'static, str>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl DecodeError {
    /// Returns an error of `field` (a path such as `data.metadata.agentDid`), with the problem in words that follow its
    /// name: `is missing`, `is not a string`.
    ///
    /// # Security
    ///
    /// The words end in logs and dead letters: do not quote much of the message in them.
    #[must_use]
    pub fn new(field: &'static str, problem: impl Into<Cow<'static, str>>) -> Self {
        Self {
            field,
            problem: problem.into(),
            cause: None,
        }
    }

    /// Adds the cause, as [`source`](Error::source).
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Returns the field at fault.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.problem)
    }
}

impl Error for DecodeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// What became of a message, and the reason as a word for counters. There are few such words, and none comes from the
/// message.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) disposition: Disposition,
    pub(crate) code: &'static str,
}

impl Ended {
    pub(crate) const fn applied() -> Self {
        Self {
            disposition: Disposition::Applied,
            code: NO_CODE,
        }
    }

    /// The decoder's own words, if they are the same for every message. Others could be anything.
    pub(crate) fn ignored(reason: Cow<'static, str>) -> Self {
        let code = match reason {
            Cow::Borrowed(code) => code,
            Cow::Owned(_) => OTHER_CODE,
        };
        Self {
            disposition: Disposition::Ignored(reason),
            code,
        }
    }

    pub(crate) const fn dead_letter(code: &'static str, words: Cow<'static, str>) -> Self {
        Self {
            disposition: Disposition::DeadLetter(words),
            code,
        }
    }

    pub(crate) const fn retry(code: &'static str, words: Cow<'static, str>) -> Self {
        Self {
            disposition: Disposition::Retry(words),
            code,
        }
    }
}

/// The code of what was applied: it needs no reason.
pub(crate) const NO_CODE: &str = "none";

/// The code of reasons that are not counted apart.
pub(crate) const OTHER_CODE: &str = "other";

/// Says what became of a message. Each message ends in exactly one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a message has to be acknowledged, retried or dead-lettered accordingly"]
pub enum Disposition {
    /// Its effect is in force: acknowledge it.
    Applied,
    /// It does not concern revocation: acknowledge it.
    Ignored(Cow<'static, str>),
    /// It cannot be applied now and should be delivered again later.
    Retry(Cow<'static, str>),
    /// It can never be applied: put it aside with the reason, in a place where somebody looks.
    DeadLetter(Cow<'static, str>),
}

impl Disposition {
    /// Returns the name for logs, counters and answers: `applied`, `ignored`, `retry` or `dead-letter`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Ignored(_) => "ignored",
            Self::Retry(_) => "retry",
            Self::DeadLetter(_) => "dead-letter",
        }
    }

    /// Returns the reason, for all but [`Applied`](Self::Applied).
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Applied => None,
            Self::Ignored(reason) | Self::Retry(reason) | Self::DeadLetter(reason) => Some(reason),
        }
    }
}
