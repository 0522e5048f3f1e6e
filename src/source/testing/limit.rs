//! How long a call may take.

use std::time::Duration;

use tokio::time::timeout;

/// Waits for a call of the source, which has to return; else says which did not.
pub(super) async fn of_source<T>(call: &str, returned: impl Future<Output = T>) -> Result<T, String> {
    within(PATIENCE, "it", call, returned).await
}

/// Waits for a call of the harness, as of a source; it may have to start a broker again.
pub(super) async fn of_harness<T>(call: &str, returned: impl Future<Output = T>) -> Result<T, String> {
    within(2 * PATIENCE, "the harness", call, returned).await
}

async fn within<T>(limit: Duration, who: &str, call: &str, returned: impl Future<Output = T>) -> Result<T, String> {
    timeout(limit, returned)
        .await
        .map_err(|_late| format!("{who} did not {call} within {limit:?}"))
}

/// How long anything may take. Some brokers take their time to start again.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether something is so.
pub(super) const POLL: Duration = Duration::from_millis(5);
