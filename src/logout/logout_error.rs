//! Why a logout was refused.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// Why a logout token was refused: the field at fault, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutError {
    field: Cow<'static, str>,
    problem: Cow<'static, str>,
}

impl LogoutError {
    pub(super) fn new(field: impl Into<Cow<'static, str>>, problem: impl Into<Cow<'static, str>>) -> Self {
        let (field, problem) = (field.into(), problem.into());
        Self { field, problem }
    }

    /// Returns the field at fault, such as `aud`, `header.alg` or `logout_token`.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }
}

impl fmt::Display for LogoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.problem)
    }
}

impl Error for LogoutError {}
