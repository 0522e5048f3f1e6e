//! Why a feed cannot be read.

use std::error::Error;
use std::fmt;

/// Why a feed cannot be opened or read, or a message not be settled. It names what was attempted; the client's own error is its
/// [`source`](Error::source).
///
/// None of them is final: the loop tries again, and shows the last one in the status.
#[derive(Debug)]
pub struct SourceError {
    attempt: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
    is_loss: bool,
}

impl SourceError {
    /// Returns an error that says what failed, in lower case, such as `cannot open stream revocations`.
    ///
    /// # Security
    ///
    /// The words end in logs and status: no passwords, nor URLs that may hold some.
    #[must_use]
    pub fn new(attempt: impl Into<String>) -> Self {
        Self {
            attempt: attempt.into(),
            cause: None,
            is_loss: false,
        }
    }

    /// Adds what caused it.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Says that messages were lost before they were read. The loop then opens the feed anew by time, and counts a gap with
    /// these words, also if nothing is wrong with the feed by then.
    #[must_use]
    pub const fn as_loss(mut self) -> Self {
        self.is_loss = true;
        self
    }

    pub(super) const fn is_loss(&self) -> bool {
        self.is_loss
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.attempt)
    }
}

impl Error for SourceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}
