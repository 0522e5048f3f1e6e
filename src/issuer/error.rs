//! Why an issuer cannot do what it is asked for.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::state::accept::ApplyError;

/// Why an issuer cannot do what it is asked for.
#[derive(Debug)]
#[non_exhaustive]
pub enum IssuerError {
    /// The statement is durable and will be published, but the local sink did not take it.
    Applied(ApplyError),
    /// What is in the directory is not what was written.
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        cause: Box<dyn Error + Send + Sync>,
    },
    /// Another user owns the file or may write it: what is in it cannot be believed.
    Exposed {
        /// Which file.
        path: PathBuf,
        /// How, in words that follow its name.
        how: &'static str,
    },
    /// The file cannot be created, read or written. Nothing was promised.
    Failed {
        /// Which file.
        path: PathBuf,
        /// Why.
        cause: Box<dyn Error + Send + Sync>,
    },
    /// The directory belongs to an issuer with another name.
    ForeignSource {
        /// The directory.
        path: PathBuf,
        /// The name that it has.
        found: String,
    },
    /// Another process holds the directory, or this one does already.
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The system gives no random numbers.
    Random(String),
    /// The statement cannot be sent, since nobody could read it: says why.
    Unsendable(String),
}

impl IssuerError {
    pub(super) fn failed(path: &Path, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed {
            path: path.to_owned(),
            cause: cause.into(),
        }
    }

    pub(super) fn damaged(path: &Path, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            cause: cause.into(),
        }
    }

    /// Translates redb's error about the file at `path`.
    pub(super) fn of(path: &Path, error: impl Into<redb::Error>) -> Self {
        match error.into() {
            redb::Error::DatabaseAlreadyOpen => Self::InUse { path: path.to_owned() },
            error @ (redb::Error::Io(_)
            | redb::Error::PreviousIo
            | redb::Error::DatabaseClosed
            | redb::Error::LockPoisoned(_)) => Self::failed(path, error),
            error => Self::damaged(path, error),
        }
    }
}

impl fmt::Display for IssuerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Applied(_) => f.write_str("the statement is durable, but the local sink did not take it"),
            Self::Damaged { path, .. } => write!(f, "{}: damaged", path.display()),
            Self::Exposed { path, how } => write!(f, "{}: {how}", path.display()),
            Self::Failed { path, .. } => write!(f, "{}: cannot be used", path.display()),
            Self::ForeignSource { path, found } => write!(f, "{}: belongs to the issuer {found}", path.display()),
            Self::InUse { path } => write!(f, "{}: in use by another issuer", path.display()),
            Self::Random(why) => write!(f, "the system gives no random numbers: {why}"),
            Self::Unsendable(why) => write!(f, "the statement cannot be sent: {why}"),
        }
    }
}

impl Error for IssuerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Applied(cause) => Some(cause),
            Self::Damaged { cause, .. } | Self::Failed { cause, .. } => Some(cause.as_ref()),
            _ => None,
        }
    }
}
