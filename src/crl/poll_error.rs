//! Why a poll failed.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::crl::list::ListError;
use crate::fetch::fetch_error::{FetchError, FetchProblem};
use crate::state::accept::InstallError;

/// Why a poll failed. Whatever was installed stays in force.
#[derive(Debug)]
pub(crate) struct PollError {
    /// Where the list should have come from, without anything that may be secret.
    pub(crate) place: String,
    pub(crate) problem: PollProblem,
}

/// What went wrong.
#[derive(Debug)]
pub(crate) enum PollProblem {
    Fetch(FetchProblem),
    Install(InstallError),
    List(ListError),
    /// The format panicked, or the runtime is going down.
    Lost(tokio::task::JoinError),
    /// The list is in force; but another of its second is missing, which may say more.
    NotAll,
    /// The list is in force, and could not be kept.
    NotKept(Arc<str>),
    /// 304, although the request was not conditional.
    NothingToModify,
    /// The host's own source failed.
    Source(Box<dyn Error + Send + Sync>),
    Status {
        status: StatusCode,
        retry_after: Option<Duration>,
    },
    Timeout(Duration),
}

impl From<FetchError> for PollError {
    fn from(FetchError { place, problem }: FetchError) -> Self {
        let problem = PollProblem::Fetch(problem);
        Self { place, problem }
    }
}

impl PollError {
    /// Returns what went wrong as one word, to count failures by.
    pub(crate) const fn code(&self) -> &'static str {
        match &self.problem {
            PollProblem::Fetch(problem) => problem.code(),
            PollProblem::Install(InstallError::Rollback { .. }) => "rollback",
            PollProblem::Install(_) => "install",
            PollProblem::List(ListError::UnknownKey { .. }) => "unknown-key",
            PollProblem::List(ListError::Invalid { .. }) => "invalid",
            PollProblem::Lost(_) => "lost",
            PollProblem::NotAll => "not-all",
            PollProblem::NotKept(_) => "not-kept",
            PollProblem::NothingToModify => "nothing-to-modify",
            PollProblem::Source(_) => "source",
            PollProblem::Status { .. } => "status",
            PollProblem::Timeout(_) => "timeout",
        }
    }

    /// Returns whether the fetched list is in force nevertheless.
    pub(crate) const fn is_in_force(&self) -> bool {
        matches!(self.problem, PollProblem::NotAll | PollProblem::NotKept(_))
    }

    /// Returns how long the server asked not to be asked again.
    pub(crate) const fn retry_after(&self) -> Option<Duration> {
        match self.problem {
            PollProblem::Status { retry_after, .. } => retry_after,
            _ => None,
        }
    }
}

impl fmt::Display for PollError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.place;
        match &self.problem {
            PollProblem::Fetch(problem) => write!(f, "{place}: {problem}"),
            PollProblem::Install(_) => write!(f, "{place}: list not installed"),
            PollProblem::List(_) => write!(f, "{place}: document refused"),
            PollProblem::Lost(_) => write!(f, "{place}: document could not be read"),
            PollProblem::NotAll => write!(
                f,
                "{place}: list is in force, but one of the same second was lost that may say more: a later one is wanted"
            ),
            PollProblem::NotKept(why) => write!(f, "{place}: list is in force, but not kept: {why}"),
            PollProblem::NothingToModify => write!(f, "{place}: 304 in answer to an unconditional request"),
            PollProblem::Source(_) => write!(f, "{place}: cannot say what is in force"),
            PollProblem::Status { status, .. } => write!(f, "{place}: status {}", status.as_u16()),
            PollProblem::Timeout(after) => write!(f, "{place}: no complete answer within {after:?}"),
        }
    }
}

impl Error for PollError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.problem {
            PollProblem::Fetch(problem) => problem.cause(),
            PollProblem::Source(cause) => Some(cause.as_ref()),
            PollProblem::Install(cause) => Some(cause),
            PollProblem::List(cause) => Some(cause),
            PollProblem::Lost(cause) => Some(cause),
            _ => None,
        }
    }
}
