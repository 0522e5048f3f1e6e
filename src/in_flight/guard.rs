//! The guard, for work that outlives its response.

use std::future::{pending, poll_fn};
use std::sync::{Arc, OnceLock};

use crate::in_flight::enforcer::Enforcer;
use crate::in_flight::terms_pool::PooledTerms;
use crate::in_flight::watch::Watch;
use crate::model::credential::Credential;
use crate::model::options::Enforcement;
use crate::model::verdict::Revoked;

/// Tells work that outlives its response (a WebSocket, a spawned task) when the credential that began it is revoked.
///
/// It is in the extensions of admitted requests if the layer was asked to put it there
/// ([`RevocationLayer::with_guard_extension`](crate::RevocationLayer::with_guard_extension));
/// [`EventSink::guard`](crate::EventSink::guard) makes one as well. The guard of a request without a credential never
/// tells anything, and neither does a guard in observe-only mode.
///
/// ```
/// use std::time::Duration;
/// use axum::{Extension, extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade}, response::Response};
/// use tokio::time::timeout;
/// use tower_revocation::RevocationGuard;
///
/// async fn chat(Extension(guard): Extension<RevocationGuard>, upgrade: WebSocketUpgrade) -> Response {
///     upgrade.on_upgrade(|socket| talk(socket, guard))
/// }
///
/// async fn talk(mut socket: WebSocket, guard: RevocationGuard) {
///     tokio::select! {
///         // Wherever the conversation waits, also for a client that does not read.
///         _why = guard.revoked() => {}
///         () = converse(&mut socket) => return,
///     }
///     let revoked = CloseFrame { code: 4401, reason: "revoked".into() };
///     let _ = timeout(Duration::from_secs(1), socket.send(Message::Close(Some(revoked)))).await;
/// }
///
/// async fn converse(socket: &mut WebSocket) {
///     while let Some(Ok(message)) = socket.recv().await {
///         if socket.send(message).await.is_err() { return }
///     }
/// }
/// # let _: axum::routing::MethodRouter = axum::routing::get(chat);
/// ```
///
/// Close a WebSocket by a code of its own such as 4401 (RFC 6455 §7.4.2), and never by 1000, after which some clients come back
/// at once and without end. Have its route behind the layer: beside it, who comes back is accepted and closed again, for ever.
///
/// Wait on one future around the whole conversation, as here, and not on a new one in each turn of a loop: each call enters the
/// index of waiting work, and leaves it when its future is dropped. A loop that waits for its client in `send` would not look at
/// the guard.
///
/// A cheap clone. The layer says which revocations count
/// ([`RevocationLayer::with_reach`](crate::RevocationLayer::with_reach)). All clones together count as one piece of
/// work in flight.
#[derive(Clone, Debug)]
pub struct RevocationGuard(Option<Arc<Guarded>>);

#[derive(Debug)]
struct Guarded {
    enforcer: Arc<Enforcer>,
    credential: Credential,
    /// Set once its revocation was counted.
    counted: OnceLock<()>,
}

impl RevocationGuard {
    pub(crate) fn new(enforcer: &Arc<Enforcer>, credential: Option<&Credential>) -> Self {
        Self(credential.map(|credential| {
            Arc::new(Guarded {
                enforcer: Arc::clone(enforcer),
                credential: credential.clone(),
                counted: OnceLock::new(),
            })
        }))
    }

    /// Returns whether the credential is revoked now. Costs as much as a decision.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.0.as_deref().is_some_and(Guarded::is_revoked)
    }

    /// Waits until the credential is revoked, and returns why; returns at once if it is revoked already.
    ///
    /// Any number of tasks may wait. Each call that has to wait costs one allocation, and one look-up for each of the
    /// credential's keys. Waiting itself costs nothing.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: another call gives the same answer.
    pub async fn revoked(&self) -> Revoked {
        match self.0.as_deref().map(Guarded::revoked) {
            Some(revoked) => revoked.await,
            None => pending().await,
        }
    }
}

impl Guarded {
    fn is_revoked(&self) -> bool {
        let Enforcer { domain, options } = &*self.enforcer;
        let mut seen = UNSEEN;
        let terms = || PooledTerms::terms(&self.credential, &options.reaches);
        options.enforcement == Enforcement::Enforce && domain.store.ending(&terms(), &mut seen).is_some()
    }

    async fn revoked(&self) -> Revoked {
        let mut watch = Watch::new(&self.enforcer, &self.credential, UNSEEN);
        let why = poll_fn(|context| watch.poll_found(context)).await;
        drop(watch);
        if self.counted.set(()).is_ok() {
            self.enforcer.end(why);
        }
        match self.enforcer.options.enforcement {
            Enforcement::Enforce => why,
            Enforcement::Observe => pending().await,
        }
    }
}

/// The version of a state that never exists, so that the first comparison finds a change.
const UNSEEN: u64 = u64::MAX;
