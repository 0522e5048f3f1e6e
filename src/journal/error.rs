//! Why a journal cannot be used.

use std::error::Error;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Why a journal cannot be used. Each names the file.
#[derive(Debug)]
#[non_exhaustive]
pub enum JournalError {
    /// What is in the file is not what was written: damaged, truncated, or from another time than the rest.
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        cause: Box<dyn Error + Send + Sync>,
    },
    /// Another user owns the file or may write it, or a group may that may not write to the directory. What is in it cannot be
    /// believed.
    Exposed {
        /// Which file.
        path: PathBuf,
        /// How, in words that follow its name.
        how: &'static str,
    },
    /// The file cannot be created, read or written.
    Failed {
        /// Which file.
        path: PathBuf,
        /// Why.
        cause: Box<dyn Error + Send + Sync>,
    },
    /// The file was written by a version of this crate, or of the embedded store, that this one does not understand.
    ForeignVersion {
        /// Which file.
        path: PathBuf,
        /// The version that it states.
        found: u64,
    },
    /// Another process holds the directory, or this one does already.
    InUse {
        /// The directory.
        path: PathBuf,
        /// The process that says that it holds it.
        by: Option<u32>,
    },
    /// Keys were made before the journal was opened, with other secrets than those of the journal. Open the journal first.
    KeysExist {
        /// The directory.
        path: PathBuf,
    },
    /// The sink is kept in a journal already.
    Taken {
        /// The directory of the journal that was offered.
        path: PathBuf,
    },
}

impl JournalError {
    pub(super) fn damaged(path: &Path, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            cause: cause.into(),
        }
    }

    pub(super) fn failed(path: &Path, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed {
            path: path.to_owned(),
            cause: cause.into(),
        }
    }

    /// Translates redb's error about the file at `path`.
    pub(super) fn of(path: &Path, error: impl Into<redb::Error>) -> Self {
        match error.into() {
            redb::Error::UpgradeRequired(version) => Self::ForeignVersion {
                path: path.to_owned(),
                found: version.into(),
            },
            redb::Error::DatabaseAlreadyOpen => Self::InUse {
                path: path.to_owned(),
                by: None,
            },
            redb::Error::Io(cause) if matches!(cause.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) => {
                Self::damaged(path, cause)
            }
            error @ (redb::Error::Io(_)
            | redb::Error::PreviousIo
            | redb::Error::DatabaseClosed
            | redb::Error::LockPoisoned(_)) => Self::failed(path, error),
            error => Self::damaged(path, error),
        }
    }

    /// Returns whether one may start without the directory's content, if the host wants that.
    pub(super) const fn leaves_room_for_a_start(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. } | Self::Failed { .. } | Self::ForeignVersion { .. }
        )
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { path, .. } => write!(f, "{}: damaged", path.display()),
            Self::Exposed { path, how } => write!(f, "{}: {how}", path.display()),
            Self::Failed { path, .. } => write!(f, "{}: cannot be used", path.display()),
            Self::ForeignVersion { path, found } => {
                write!(
                    f,
                    "{}: written by another version: its format is {found}",
                    path.display()
                )
            }
            Self::InUse { path, by: Some(by) } => write!(f, "{}: in use by process {by}", path.display()),
            Self::InUse { path, by: None } => write!(f, "{}: in use by another process", path.display()),
            Self::KeysExist { path } => {
                write!(
                    f,
                    "{}: opened after keys were made: open it first of all",
                    path.display()
                )
            }
            Self::Taken { path } => write!(f, "{}: the sink is kept in another journal", path.display()),
        }
    }
}

impl Error for JournalError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Damaged { cause, .. } | Self::Failed { cause, .. } => Some(cause.as_ref()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_which_directory_and_what_to_do() {
        let path = || Path::new("state").to_owned();
        let foreign = JournalError::of(Path::new("state"), redb::Error::UpgradeRequired(9));
        assert!(
            matches!(foreign, JournalError::ForeignVersion { found: 9, .. }),
            "{foreign}"
        );
        for (error, words) in [
            (
                JournalError::InUse {
                    path: path(),
                    by: Some(7),
                },
                "state: in use by process 7",
            ),
            (
                JournalError::InUse { path: path(), by: None },
                "state: in use by another process",
            ),
            (
                JournalError::KeysExist { path: path() },
                "state: opened after keys were made: open it first of all",
            ),
            (
                JournalError::Taken { path: path() },
                "state: the sink is kept in another journal",
            ),
            (
                JournalError::of(Path::new("state"), redb::Error::DatabaseAlreadyOpen),
                "state: in use by another process",
            ),
        ] {
            assert_eq!(error.to_string(), words);
        }
    }
}
