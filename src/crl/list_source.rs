//! Where a list comes from that is in the host's own database.

use std::error::Error;
use std::time::Duration;

use tokio::time::timeout;

use crate::common::host_code::guarded_future;
use crate::statements::in_force::InForce;

/// Knows what is in force, from the host's own database. Closures that return a future are.
///
/// ```
/// use tower_revocation::crl::ListSource;
/// use tower_revocation::{InForce, Statement, Subject, Timestamp};
///
/// # struct Database;
/// # impl Database {
/// #     async fn revoked_sessions(&self) -> Result<Vec<(String, u64)>, std::io::Error> { Ok(Vec::new()) }
/// # }
/// impl ListSource for Database {
///     type Error = std::io::Error;
///
///     async fn in_force(&self) -> Result<InForce, Self::Error> {
///         let rows = self.revoked_sessions().await?;
///         let block = |(id, at): &(String, u64)| Statement::block(Subject::session(id)).at(Timestamp::from_unix_secs(*at));
///         Ok(InForce { statements: rows.iter().map(block).collect(), covers: Vec::new() })
///     }
/// }
/// ```
pub trait ListSource: Send + Sync + 'static {
    /// Why the database could not be asked.
    type Error: Into<Box<dyn Error + Send + Sync>>;

    /// Returns all that is in force now, read after this was called.
    ///
    /// State the time of each statement: without one, a statement would count as made whenever it is read, and the list would be another
    /// one each time.
    ///
    /// # Errors
    ///
    /// Whatever kept the database from being read. Nothing that is in force changes by that.
    ///
    /// # Security
    ///
    /// What is not returned is not revoked any more, unless an event says so. Read it in one transaction: a block that moved between
    /// two pages must not be missing.
    fn in_force(&self) -> impl Future<Output = Result<InForce, Self::Error>> + Send;
}

impl<F, T, E> ListSource for F
where
    F: Fn() -> T + Send + Sync + 'static,
    T: Future<Output = Result<InForce, E>> + Send,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    type Error = E;

    fn in_force(&self) -> impl Future<Output = Result<InForce, E>> + Send {
        self()
    }
}

/// Asks for what is in force. `None` if it takes too long.
///
/// # Cancel safety
///
/// Dropping the future drops the question.
pub(crate) async fn ask<S: ListSource>(
    source: &S,
    within: Duration,
) -> Option<Result<InForce, Box<dyn Error + Send + Sync>>> {
    let asked = guarded_future(async { source.in_force().await });
    Some(match timeout(within, asked).await.ok()? {
        Ok(answer) => answer.map_err(Into::into),
        Err(panic) => Err(format!("the host's code panicked: {panic}").into()),
    })
}
