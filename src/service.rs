//! The service that the layer makes.

use std::sync::Arc;
use std::task::{Context, Poll};

use tower_service::Service;

use crate::future::ResponseFuture;
use crate::gate::Gate;
use crate::guard::RevocationGuard;
use crate::identify::Identify;
use crate::refusal::Refusal;
use crate::respond::{Http, Respond};
use crate::settings::{GuardExtension, StatusExtension};
use crate::watch::Watch;

/// Refuses requests whose credential is revoked, and passes all others on. Made by
/// [`RevocationLayer`](crate::RevocationLayer); see the [crate docs](crate).
///
/// The check runs within `call`, before the inner service's: one atomic load and a few look-ups, no lock, no await,
/// no allocation. The inner service's error type is unchanged: a refusal is a response. What was admitted is
/// watched to its end: see [`ResponseFuture`] and [`ResponseBody`](crate::ResponseBody).
#[derive(Debug)]
pub struct RevocationService<S, I, R = Http> {
    inner: S,
    gate: Arc<Gate<I, R>>,
}

impl<S, I, R> RevocationService<S, I, R> {
    pub(crate) const fn new(inner: S, gate: Arc<Gate<I, R>>) -> Self {
        Self { inner, gate }
    }

    /// The wrapped service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The wrapped service.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The wrapped service, unwrapped.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, I, R, Req> Service<Req> for RevocationService<S, I, R>
where
    S: Service<Req>,
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
            flight,
        } = &*self.gate;
        let identity = identify.identify(&request);
        let memo = respond.remember(&request);
        let ruling = flight.domain.rule(&identity);
        // What is only observed to be revoked was counted here, and is not to be counted again.
        let mut is_watched = true;
        if let Some(refusal) = &ruling.refusal {
            if self.gate.stands(refusal, &identity) {
                return ResponseFuture::refused(respond.refuse(memo, refusal));
            }
            is_watched = !matches!(refusal, Refusal::Revoked(_));
        }
        if flight.settings.status_extension == StatusExtension::Insert {
            respond.insert(&mut request, ruling.status);
        }
        let watched = identity.credential().filter(|_| is_watched);
        if flight.settings.guard_extension == GuardExtension::Insert {
            respond.insert(&mut request, RevocationGuard::new(flight, watched));
        }
        let watch = watched.map_or_else(Watch::none, |credential| Watch::new(flight, credential, ruling.version));
        let respond = respond.clone();
        // Last, so that the handler comes about where it stays.
        ResponseFuture::admitted(self.inner.call(request), respond, memo, watch)
    }
}

impl<S: Clone, I, R> Clone for RevocationService<S, I, R> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            gate: Arc::clone(&self.gate),
        }
    }
}
