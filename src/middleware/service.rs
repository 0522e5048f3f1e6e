//! The service that the layer makes.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll};

use tower_service::Service;

use crate::common::log;
use crate::identify::Identify;
use crate::in_flight::enforcer::Enforcer;
use crate::in_flight::guard::RevocationGuard;
use crate::in_flight::watch::Watch;
use crate::middleware::exemption::Exemption;
use crate::middleware::future::ResponseFuture;
use crate::model::challenge::Challenge;
use crate::model::credential::{Credential, Identity};
use crate::model::options::{Anonymous, Enforcement, GuardExtension, StatusExtension, Unreadable};
use crate::model::refusal::Refusal;
use crate::model::verdict::ListFreshness;
use crate::respond::{Http, RequestHead, Respond};

/// Refuses requests whose credential is revoked, and passes all others on. Made by
/// [`RevocationLayer`](crate::RevocationLayer); see the [crate docs](crate).
///
/// The check runs within `call`, before the inner service's: one atomic load and a few look-ups, no lock, no await, no
/// allocation. The inner service's error type is unchanged: a refusal is a response. Admitted work is watched to its
/// end: see [`ResponseFuture`] and [`ResponseBody`](crate::ResponseBody).
///
/// The inner service has to be `Clone`: a refusal replaces it by a clone, since it may hold what its `poll_ready` reserved for a
/// request that does not come. Costs that clone for each refusal, and nothing for an admitted request.
#[derive(Debug)]
pub struct RevocationService<S, I, R = Http> {
    inner: S,
    gate: Arc<Gate<I, R>>,
}

impl<S, I, R> RevocationService<S, I, R> {
    pub(crate) const fn new(inner: S, gate: Arc<Gate<I, R>>) -> Self {
        Self { inner, gate }
    }

    /// Returns the wrapped service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns the wrapped service.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Gives back what `poll_ready` reserved, such as a permit of a limit: dropping the service is the only way that tower's
    /// contract has for that.
    fn give_back(&mut self)
    where
        S: Clone,
    {
        self.inner = self.inner.clone();
    }

    /// Returns the wrapped service, and gives up the layer around it.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, I, R, Req> Service<Req> for RevocationService<S, I, R>
where
    S: Service<Req> + Clone,
    I: Identify<Req>,
    R: Respond<Req, S::Response>,
{
    type Response = R::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, R, Req>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Req) -> Self::Future {
        let Gate {
            identify,
            respond,
            challenges,
            enforcer,
            ..
        } = &*self.gate;
        let mut identity = identify.identify(&request);
        let memo = respond.remember(&request);
        let decision = enforcer.domain.decide(&mut identity);
        // If the layer only observes, this revocation was counted here. A watch would count it again.
        let mut is_watched = true;
        if let Some(refusal) = &decision.refusal {
            if self
                .gate
                .stands(refusal, decision.is_binding, &identity, || respond.head(&request))
            {
                let asked = [challenges.as_slice(), identify.challenges(), &[Challenge::bearer()]];
                let asked = asked.into_iter().find(|asked| !asked.is_empty()).unwrap_or_default();
                let refusing = respond.refuse(request, memo, refusal, asked);
                self.give_back();
                return ResponseFuture::refused(refusing);
            }
            is_watched = !matches!(refusal, Refusal::Revoked(_));
        }
        let watched = identity.credential().filter(|_| is_watched);
        if enforcer.options.status_extension == StatusExtension::Insert {
            insert_status(respond, &mut request, decision.list);
        }
        let lets_finish = match enforcer.options.guard_extension {
            GuardExtension::Insert => insert_guard(respond, &mut request, enforcer, watched),
            GuardExtension::Omit => None,
        };
        let watch = watched.map_or_else(Watch::none, |credential| {
            Watch::new(enforcer, credential, decision.version)
        });
        let respond = respond.clone();
        // The inner call comes last, so that its future is made in the place where it stays.
        ResponseFuture::admitted(self.inner.call(request), respond, memo, watch, lets_finish)
    }
}

/// Tells the handler how fresh the answer was, unless it finds more of it from a layer further out.
fn insert_status<Req, Res, R: Respond<Req, Res>>(respond: &R, request: &mut Req, list: ListFreshness) {
    let outer = respond.get::<ListFreshness>(request);
    if outer.is_none_or(|outer| list.goes_before(outer)) {
        respond.insert(request, list);
    }
}

/// Gives the handler a guard, which holds that of a layer further out as well. Without a credential there is nothing to add to it.
/// Returns what is set when the handler asks to finish.
fn insert_guard<Req, Res, R>(
    respond: &R,
    request: &mut Req,
    enforcer: &Arc<Enforcer>,
    watched: Option<&Credential>,
) -> Option<Arc<AtomicBool>>
where
    R: Respond<Req, Res>,
{
    let outer = respond.get::<RevocationGuard>(request);
    let guard = match (watched, outer) {
        (None, Some(_)) => return None,
        (None, None) => RevocationGuard::none(),
        (Some(credential), outer) => RevocationGuard::new(enforcer, credential, outer),
    };
    let lets_finish = guard.lets_finish();
    respond.insert(request, guard);
    lets_finish
}

impl<S: Clone, I, R> Clone for RevocationService<S, I, R> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            gate: Arc::clone(&self.gate),
        }
    }
}

/// What all clones of one service share.
#[derive(Debug)]
pub(crate) struct Gate<I, R> {
    pub(crate) identify: I,
    pub(crate) respond: R,
    /// Those that the host chose. Without any, `identify` says how to ask.
    pub(crate) challenges: Vec<Challenge>,
    pub(crate) exemption: Exemption,
    pub(crate) enforcer: Arc<Enforcer>,
}

impl<I, R> Gate<I, R> {
    /// Whether this layer carries out a refusal. The domain decides what is known; the layer's options say what to do
    /// about it.
    pub(crate) fn stands<'r>(
        &self,
        refusal: &Refusal,
        is_binding: bool,
        identity: &Identity,
        head: impl FnOnce() -> Option<RequestHead<'r>>,
    ) -> bool {
        let passes = match refusal {
            Refusal::Missing => match self.enforcer.options.anonymous {
                Anonymous::Pass => true,
                Anonymous::Challenge => head().is_some_and(|head| self.exemption.covers(&head)),
            },
            Refusal::Unreadable { .. } => !is_binding && self.enforcer.options.unreadable == Unreadable::Pass,
            Refusal::Revoked(_) | Refusal::Unavailable { .. } | Refusal::Withheld(_) => false,
        };
        if passes {
            return false;
        }
        let keys = identity.credential().map_or(0, Credential::len);
        match self.enforcer.options.enforcement {
            Enforcement::Enforce => {
                log::debug!(?refusal, keys, "request refused");
                true
            }
            Enforcement::Observe => {
                self.enforcer.domain.counters.would_refuse();
                log::info!(?refusal, keys, "request would be refused");
                false
            }
        }
    }
}
