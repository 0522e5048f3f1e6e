//! The guard, for work that outlives its response.

use std::future::poll_fn;
use std::iter::successors;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

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
/// If several layers put their guard into the same request (two issuers need two layers), its handler finds one for all of them,
/// whichever is the outer one: it tells as soon as any of them revokes. A layer to which the request is anonymous adds nothing to it.
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
    /// Whether the handler of this request may finish, whatever is revoked meanwhile.
    lets_finish: Arc<AtomicBool>,
    /// What a layer further out guards with the same request.
    outer: Option<Arc<Self>>,
}

impl RevocationGuard {
    /// A guard of nothing. It never tells anything.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// The guard of work that one layer admitted. Beside the guard of a layer further out, it tells what either of them does.
    pub(crate) fn new(enforcer: &Arc<Enforcer>, credential: &Credential, outer: Option<&Self>) -> Self {
        Self(Some(Arc::new(Guarded {
            enforcer: Arc::clone(enforcer),
            credential: credential.clone(),
            counted: OnceLock::new(),
            lets_finish: Arc::default(),
            outer: outer.and_then(|guard| guard.0.clone()),
        })))
    }

    /// Lets the handler of this request finish and answer, whatever is revoked while it runs: for the handler that revokes its own
    /// user's session, and has to publish that and to remove the cookie. Call it first, before anything is revoked.
    ///
    /// Only this one request is exempt. Its response is not withheld, its handler is not dropped under
    /// [`Running::Drop`](crate::Running::Drop), and what is still to come of its body does not end by what was revoked until then. What is
    /// revoked after the handler has returned ends the body as usual. [`revoked`](Self::revoked) tells of revocations all the same.
    ///
    /// ```
    /// use axum::{Extension, extract::State, http::StatusCode};
    /// use tower_revocation::{ApplyError, EventSink, Key, Revocation, RevocationGuard};
    ///
    /// async fn log_out(Extension(guard): Extension<RevocationGuard>, State(sink): State<EventSink>) -> StatusCode {
    ///     guard.let_finish();
    ///     match end_session(&sink).await {
    ///         Ok(()) => StatusCode::NO_CONTENT,
    ///         Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    ///     }
    /// }
    ///
    /// async fn end_session(sink: &EventSink) -> Result<(), ApplyError> {
    ///     sink.apply(Revocation::block(Key::session("s-1")))?.durable().await
    ///     // Publish it here.
    /// }
    /// # let (layer, sink) = tower_revocation::RevocationLayer::pair(|_: &http::Request<axum::body::Body>| None::<tower_revocation::Credential>);
    /// # let _: axum::Router = axum::Router::new().route("/", axum::routing::post(log_out)).with_state(sink)
    /// #     .layer(layer.with_guard_extension(tower_revocation::GuardExtension::Insert));
    /// ```
    ///
    /// # Security
    ///
    /// Until the handler returns, nothing ends it. So call it in handlers that end by themselves, and that do not stream.
    pub fn let_finish(&self) {
        // The service asks in the task that runs the handler, after it has polled it.
        self.guarded()
            .for_each(|guarded| guarded.lets_finish.store(true, Ordering::Relaxed));
    }

    /// What the watch over the same request asks.
    pub(crate) fn lets_finish(&self) -> Option<Arc<AtomicBool>> {
        self.0.as_ref().map(|guarded| Arc::clone(&guarded.lets_finish))
    }

    /// Returns whether the credential is revoked now, by any of the domains that know it. Costs as much as a decision of each.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.guarded().any(Guarded::is_revoked)
    }

    /// Waits until the credential is revoked, by any of the domains that know it, and returns why; returns at once if it is revoked
    /// already.
    ///
    /// Any number of tasks may wait. Each call that has to wait costs one allocation, and one look-up for each of the
    /// credential's keys; two allocations more with a second domain, and one for each further one. Waiting itself costs nothing.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: another call gives the same answer.
    pub async fn revoked(&self) -> Revoked {
        let mut waits = self.guarded().map(Wait::new);
        // Nearly always there is one, which needs no room of its own.
        let mut first = waits.next();
        let mut others: Vec<_> = waits.collect();
        poll_fn(|context| {
            let mut all = first.iter_mut().chain(&mut others);
            all.find_map(|wait| wait.poll(context))
                .map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// What it guards, of the innermost layer first.
    fn guarded(&self) -> impl Iterator<Item = &Guarded> {
        successors(self.0.as_deref(), |guarded| guarded.outer.as_deref())
    }
}

impl Guarded {
    fn is_revoked(&self) -> bool {
        let Enforcer { domain, options } = &*self.enforcer;
        let mut seen = UNSEEN;
        let terms = || PooledTerms::terms(&self.credential, &options.reaches);
        options.enforcement == Enforcement::Enforce && domain.store.ending(&terms(), &mut seen).is_some()
    }
}

/// One call's wait for what one domain says.
struct Wait<'g> {
    guarded: &'g Guarded,
    watch: Watch,
}

impl<'g> Wait<'g> {
    fn new(guarded: &'g Guarded) -> Self {
        let watch = Watch::new(&guarded.enforcer, &guarded.credential, UNSEEN);
        Self { guarded, watch }
    }

    /// Tells of the revocation, and counts it, unless another clone has. One that is only observed is counted, and told nobody.
    fn poll(&mut self, context: &Context<'_>) -> Option<Revoked> {
        let Poll::Ready(why) = self.watch.poll_found(context) else {
            return None;
        };
        // It has left the index, and finds nothing again.
        self.watch = Watch::none();
        let Enforcer { options, .. } = &*self.guarded.enforcer;
        if self.guarded.counted.set(()).is_ok() {
            self.guarded.enforcer.end(why);
        }
        (options.enforcement == Enforcement::Enforce).then_some(why)
    }
}

/// The version of a state that never exists, so that the first comparison finds a change.
const UNSEEN: u64 = u64::MAX;
