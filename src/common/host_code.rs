//! Code of the host's that is called on threads and tasks of this crate.

use std::any::Any;
#[cfg(any(feature = "crl-poll", feature = "jwks", feature = "source"))]
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
#[cfg(any(feature = "crl-poll", feature = "jwks", feature = "source"))]
use std::pin::pin;
#[cfg(any(feature = "crl-poll", feature = "jwks", feature = "source"))]
use std::task::Poll;

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
#[cfg(any(feature = "crl-poll", feature = "jwks", feature = "source"))]
pub(crate) async fn guarded_future<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    poll_fn(|context| match guarded(|| future.as_mut().poll(context)) {
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

fn message(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(words) => *words,
        Err(panic) => panic
            .downcast_ref::<&str>()
            .map_or_else(|| "no message".to_owned(), |words| (*words).to_owned()),
    }
}
