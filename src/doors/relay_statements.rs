//! Passing on what came in at one replica.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::statements::statement::Statement;

/// Passes on to all replicas what came in at one of them. An [`Issuer`](crate::issuer::Issuer) (feature `issuer`) does it by its log.
///
/// A logout that is told over HTTP reaches one replica of those behind a load balancer. It is told once, and the token that tells it has
/// expired when a replica reads it after a restart. So the replica states it anew, in a log that all of them read.
pub trait RelayStatements: Send + Sync + 'static {
    /// Resolves once all other replicas will hear of the statements, whatever happens to this one.
    ///
    /// # Errors
    ///
    /// Fails if that is not so. Whoever told us is then asked to do it again.
    fn relay(
        &self,
        statements: Vec<Statement>,
    ) -> impl Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send;
}

/// A relay of any type.
#[derive(Clone)]
pub(crate) struct AnyRelay(Arc<dyn Fn(Vec<Statement>) -> Relaying + Send + Sync>);

/// Resolves when a relay is done.
pub(crate) type Relaying = Pin<Box<dyn Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send>>;

impl AnyRelay {
    pub(crate) fn new(relay: impl RelayStatements) -> Self {
        let relay = Arc::new(relay);
        Self(Arc::new(move |statements| {
            let relay = Arc::clone(&relay);
            Box::pin(async move { relay.relay(statements).await })
        }))
    }

    pub(crate) fn relay(&self, statements: Vec<Statement>) -> Relaying {
        (self.0)(statements)
    }
}

impl fmt::Debug for AnyRelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyRelay").finish_non_exhaustive()
    }
}
