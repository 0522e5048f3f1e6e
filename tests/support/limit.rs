//! A limit for a test that waits for servers and processes.

use std::future::Future;
use std::time::Duration;

use tokio::time::timeout;

/// Runs a test, and fails it if it does not end within 5 minutes: whatever it waits for may never come.
///
/// None takes half as long on two slow cores, with four of them at a time.
#[allow(dead_code, reason = "some tests take as long as they are told")]
pub(crate) async fn in_time(test: impl Future<Output = ()>) {
    within(Duration::from_secs(300), test).await;
}

/// Runs a test, and fails it if it does not end in time. The harness says which test it is, and what it started ends with it.
pub(crate) async fn within(limit: Duration, test: impl Future<Output = ()>) {
    let ended = timeout(limit, Box::pin(test)).await;
    assert!(ended.is_ok(), "the test does not end within {limit:?}");
}
