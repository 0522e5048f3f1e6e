//! What the poller has to know of a list's format.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use http::{HeaderValue, StatusCode};

use crate::jose::jwk_set::JwkSetError;
use crate::jose::jws_error::JwsError;
use crate::jose::key_set::KeySet;
use crate::model::timestamp::Timestamp;
use crate::state::snapshot::RevocationList;

/// A format of signed revocation lists.
///
/// Its methods are called on threads where blocking is allowed.
pub trait ListFormat: Send + Sync + 'static {
    /// Verifies and indexes the body of a successful response.
    ///
    /// Pure: `now` is the wall clock's time. Whether the list is newer than the installed one is not its concern.
    ///
    /// # Errors
    ///
    /// [`ListError::UnknownKey`] if none of `keys` has the list's `kid`: the poller then fetches the keys again, once.
    /// [`ListError::Invalid`] for anything else that is wrong; it names the field.
    fn read_list(&self, body: &[u8], keys: &KeySet, now: Timestamp) -> Result<RevocationList, ListError>;

    /// Returns what the poller asks for as `Accept`: the media type of lists. Defaults to `application/json`.
    fn accept(&self) -> HeaderValue {
        HeaderValue::from_static("application/json")
    }

    /// Reads the issuer's signing keys.
    ///
    /// # Errors
    ///
    /// [`ListError::Invalid`], naming the field.
    fn read_keys(&self, body: &[u8]) -> Result<KeySet, ListError>;

    /// Returns whether a response with another status than 200 says that the issuer has revoked nothing yet, and has
    /// therefore signed no list. Defaults to `false`.
    ///
    /// # Security
    ///
    /// Such an answer is unsigned. The poller believes it only until the first signed list.
    fn is_none_yet(&self, status: StatusCode, body: &[u8]) -> bool {
        let _ = (status, body);
        false
    }
}

/// Why a list or a key set was refused.
#[derive(Debug)]
#[non_exhaustive]
pub enum ListError {
    /// Something in it is missing, malformed, expired or not allowed.
    Invalid {
        /// The field at fault, as a path: `header.typ`, `revocations[3].jti`.
        field: Cow<'static, str>,
        /// What is wrong with it, in words that follow its name.
        problem: Cow<'static, str>,
        /// What caused it, where there is more to say.
        cause: Option<Box<dyn Error + Send + Sync>>,
    },
    /// It is signed with a key that the key set doesn't have.
    UnknownKey {
        /// The key's id, as the list states it.
        kid: String,
    },
}

impl ListError {
    /// Creates an error that says that `field` has a problem.
    #[must_use]
    pub fn invalid(field: impl Into<Cow<'static, str>>, problem: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid {
            field: field.into(),
            problem: problem.into(),
            cause: None,
        }
    }

    /// Adds what caused the error, as [`source`](Error::source).
    #[must_use]
    pub fn because(mut self, why: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        if let Self::Invalid { cause, .. } = &mut self {
            *cause = Some(why.into());
        }
        self
    }
}

impl From<JwsError> for ListError {
    fn from(error: JwsError) -> Self {
        let refused = Self::invalid(error.field(), error.problem());
        match error {
            JwsError::Header(cause) => refused.because(cause),
            JwsError::UnknownKey { kid } => Self::UnknownKey { kid },
            _ => refused,
        }
    }
}

impl From<JwkSetError> for ListError {
    fn from(error: JwkSetError) -> Self {
        let refused = Self::invalid(error.field, error.problem);
        match error.into_cause() {
            Some(cause) => refused.because(cause),
            None => refused,
        }
    }
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { field, problem, .. } => write!(f, "{field} {problem}"),
            Self::UnknownKey { kid } => write!(f, "header.kid names an unknown key: {}", kid.escape_debug()),
        }
    }
}

impl Error for ListError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Invalid { cause, .. } => cause.as_deref().map(|cause| cause as _),
            Self::UnknownKey { .. } => None,
        }
    }
}
