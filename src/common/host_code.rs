//! Code of the host's that is called on threads and tasks of this crate.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[cfg(any(feature = "crl-poll", feature = "source"))]
use futures_util::FutureExt;

/// Calls code of the host's. If it panics, the panic's message is returned, and this thread or task goes on.
///
/// A subscriber that writes to a full disk may panic, and so may a recorder of metrics, a decoder, a hook, a client.
pub(crate) fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(message)
}

/// Does what [`guarded`] does, for a future of the host's.
///
/// # Cancel safety
///
/// As that of the future.
#[cfg(any(feature = "crl-poll", feature = "source"))]
pub(crate) async fn guarded_future<T>(future: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(future).catch_unwind().await.map_err(message)
}

fn message(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(words) => *words,
        Err(panic) => panic
            .downcast_ref::<&str>()
            .map_or_else(|| "no message".to_owned(), |words| (*words).to_owned()),
    }
}
