//! How the server is reached.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions, Error, PgConnection};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::common::error_text::error_text;
use crate::common::log;

/// Gives the options that the host wants, each time that it is asked. A cheap clone.
#[derive(Clone)]
pub(super) struct OptionsProvider(Arc<GetOptions>);

type GetOptions = dyn Fn() -> BoxFuture<'static, Result<PgConnectOptions, Error>> + Send + Sync;

impl OptionsProvider {
    pub(super) fn new<O, F>(options: O) -> Self
    where
        O: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<PgConnectOptions, Error>> + Send + 'static,
    {
        Self(Arc::new(move || options().boxed()))
    }

    /// Connects. What is asked over it is one statement each time: a session that listens, or reads, and stays in a transaction holds
    /// up everybody.
    pub(super) async fn connect(&self) -> Result<PgConnection, Error> {
        (self.0)().await?.connect().await
    }

    /// Wakes the reader whenever rows are added, for as long as it is polled. What it misses while it is not connected, the reader finds
    /// when it asks by itself.
    pub(super) async fn listen(self, wake: Arc<Notify>) -> Infallible {
        loop {
            let Err(error) = self.listen_once(&wake).await;
            log::debug!(error = %error_text(&error), "nothing wakes the reader of the outbox for now");
            sleep(if is_standby(&error) { LONG_PAUSE } else { PAUSE }).await;
        }
    }

    async fn listen_once(&self, wake: &Notify) -> Result<Infallible, Error> {
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(TIMEOUT);
        let pool = pool.connect_with((self.0)().await?).await?;
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(CHANNEL).await?;
        loop {
            // Rows may have been added before it listened.
            wake.notify_one();
            if listener.try_recv().await?.is_none() {
                return Err(Error::PoolClosed);
            }
        }
    }
}

/// Nobody can listen there, until it is promoted.
fn is_standby(error: &Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.as_deref() == Some(READ_ONLY)
}

/// What is notified when rows are added.
const CHANNEL: &str = "revocation_log";
const READ_ONLY: &str = "25006";
const TIMEOUT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_secs(1);
const LONG_PAUSE: Duration = Duration::from_secs(10);
