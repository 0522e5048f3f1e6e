//! Calls that end.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use rskafka::client::error::Result;
use tokio::time::timeout;

/// Ends a call of the client after a while: by itself it tries for ever, unless the host set a deadline, and longer than that
/// even so.
pub(super) async fn within<T>(
    time: Duration,
    call: impl Future<Output = Result<T>>,
) -> std::result::Result<T, Box<dyn Error + Send + Sync>> {
    match timeout(time, call).await {
        Ok(answer) => Ok(answer?),
        Err(_late) => Err(format!("no answer within {time:?}").into()),
    }
}

/// How long a broker may take to answer, beyond what it was told to wait.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
