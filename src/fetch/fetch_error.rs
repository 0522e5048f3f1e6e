//! Why an exchange failed.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::fetch::pace::TooSlow;

/// Why an exchange failed.
#[derive(Debug)]
pub(crate) struct FetchError {
    /// Where the document should have come from, without anything that may be secret.
    pub(crate) place: String,
    pub(crate) problem: FetchProblem,
}

/// What went wrong.
#[derive(Debug)]
pub(crate) enum FetchProblem {
    Body(Box<dyn Error + Send + Sync>),
    Client(Box<dyn Error + Send + Sync>),
    Timeout(Duration),
    TooLarge(usize),
    TooSlow(TooSlow),
}

impl FetchProblem {
    /// Returns what went wrong as one word, to count failures by.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Body(_) => "body",
            Self::Client(_) => "client",
            Self::Timeout(_) | Self::TooSlow(_) => "timeout",
            Self::TooLarge(_) => "too-large",
        }
    }

    /// Returns what caused it.
    pub(crate) fn cause(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Body(cause) | Self::Client(cause) => Some(cause.as_ref()),
            _ => None,
        }
    }
}

impl fmt::Display for FetchProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(_) => f.write_str("body cannot be read to its end"),
            Self::Client(_) => f.write_str("request failed"),
            Self::Timeout(after) => write!(f, "no complete answer within {after:?}"),
            Self::TooLarge(cap) => write!(f, "body is larger than {cap} bytes"),
            Self::TooSlow(slow) => write!(f, "body comes too slowly: {slow}"),
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

impl Error for FetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.problem.cause()
    }
}
