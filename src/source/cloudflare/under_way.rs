//! Exchanges that go on while something else is waited for.

use std::future::{Future, pending};
use std::pin::Pin;

/// An exchange that nobody has to wait for.
pub(super) type UnderWay<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Waits for an exchange to be over; for ever, if none is under way.
///
/// # Cancel safety
///
/// Dropping the future leaves the exchange under way.
pub(super) async fn over<T>(exchange: &mut Option<UnderWay<T>>) -> T {
    let outcome = match exchange {
        Some(exchange) => exchange.await,
        None => pending().await,
    };
    *exchange = None;
    outcome
}
