//! Why a statement is not in the outbox.

use std::error::Error;
use std::fmt;

/// Why the outbox cannot do what it is asked for.
#[derive(Debug)]
#[non_exhaustive]
pub enum OutboxError {
    /// The database does not do it. A transaction has to be rolled back.
    Database(sqlx::Error),
    /// The system gives no random numbers.
    Random(String),
    /// The statement cannot be sent, since nobody could read it: says why.
    Unsendable(String),
}

impl fmt::Display for OutboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(_) => f.write_str("the outbox cannot be used"),
            Self::Random(why) => write!(f, "the system gives no random numbers: {why}"),
            Self::Unsendable(why) => write!(f, "the statement cannot be sent: {why}"),
        }
    }
}

impl Error for OutboxError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Database(cause) => Some(cause),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for OutboxError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}
