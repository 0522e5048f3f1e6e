//! For work that outlives its response.

use std::future::poll_fn;
use std::sync::Arc;

use crate::credential::Credential;
use crate::flight::Flight;
use crate::settings::Enforcement;
use crate::spares::Spare;
use crate::verdict::Revoked;
use crate::watch::Watch;

/// Tells work that outlives its response (a WebSocket, a spawned task) when the credential that began it is revoked.
///
/// In the extensions of admitted requests where the layer was asked to put it there
/// (`RevocationLayer::with_guard_extension`); also made by `EventSink::guard`. The guard of a request without a
/// credential never tells anything, nor does any in observe-only mode.
///
/// ```
/// use axum::{Extension, extract::ws::{CloseFrame, Message, WebSocketUpgrade}, response::Response};
/// use tower_revocation::RevocationGuard;
///
/// async fn talk(Extension(guard): Extension<RevocationGuard>, upgrade: WebSocketUpgrade) -> Response {
///     upgrade.on_upgrade(async move |mut socket| loop {
///         tokio::select! {
///             _revoked = guard.revoked() => {
///                 let policy_violation = CloseFrame { code: 1008, reason: "credential revoked".into() };
///                 let _ = socket.send(Message::Close(Some(policy_violation))).await;
///                 return;
///             }
///             said = socket.recv() => {
///                 let Some(Ok(message)) = said else { return };
///                 if socket.send(message).await.is_err() { return }
///             }
///         }
///     })
/// }
/// # let _: axum::routing::MethodRouter = axum::routing::get(talk);
/// ```
///
/// A cheap clone. Which revocations count is the layer's to say
/// (`RevocationLayer::with_reach`).
#[derive(Clone, Debug)]
pub struct RevocationGuard(Option<Arc<Guarded>>);

#[derive(Debug)]
struct Guarded {
    flight: Arc<Flight>,
    credential: Credential,
}

impl RevocationGuard {
    pub(crate) fn new(flight: &Arc<Flight>, credential: Option<&Credential>) -> Self {
        Self(credential.map(|credential| {
            Arc::new(Guarded {
                flight: Arc::clone(flight),
                credential: credential.clone(),
            })
        }))
    }

    /// Whether the credential is revoked now. Costs as much as a decision.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.0.as_deref().is_some_and(|Guarded { flight, credential }| {
            let terms = Spare::terms(credential, &flight.settings.reaches);
            let is_revoked = || flight.domain.store.ending(&terms, &mut { UNSEEN }).is_some();
            flight.settings.enforcement == Enforcement::Enforce && is_revoked()
        })
    }

    /// Waits until the credential is revoked, and says why; at once if it is already.
    ///
    /// Any number of tasks may wait. Costs an allocation and a look-up by each of the credential's keys when
    /// it first has to wait, and nothing while it waits.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: another call answers as this one would have.
    pub async fn revoked(&self) -> Revoked {
        let mut watch = self
            .0
            .as_deref()
            .map_or_else(Watch::none, |Guarded { flight, credential }| {
                Watch::new(flight, credential, UNSEEN)
            });
        poll_fn(|context| watch.poll_revoked(context)).await
    }
}

/// The version of a state that never was: whoever has seen that one looks.
const UNSEEN: u64 = u64::MAX;
