//! The extension point for protocols.

use std::future::Future;

use crate::in_flight::watch::Watch;
use crate::model::challenge::Challenge;
use crate::model::options::Running;
use crate::model::refusal::Refusal;
use crate::respond::request_head::RequestHead;

/// Tells the layer what it has to know of a protocol; implemented for HTTP by [`Http`](super::Http).
///
/// The service itself names no request or response type: an implementation can wrap any tower service. It is
/// cloned with every request: keep it small, or behind an `Arc`.
pub trait Respond<Req, Res>: Clone {
    /// The response of the wrapped service.
    type Response;

    /// What a refusal has to know about its request. It is held until there is a response: if the credential is revoked
    /// by then, the request itself is with the inner service.
    type Memo;

    /// Returns what a refusal has to know of `request`. Called for every request: it should not allocate.
    fn remember(&self, request: &Req) -> Self::Memo;

    /// What resolves to the response to a request that is refused: [`Ready`](std::future::Ready) for most protocols.
    ///
    /// It has time to read what still comes with the request, where answering without that would hurt others.
    type Refusing: Future<Output = Self::Response>;

    /// Returns what answers a request that is refused before the inner service sees it. `challenges` ask for a credential: over
    /// HTTP, a 401 without a challenge gets these.
    fn refuse(&self, request: Req, memo: Self::Memo, refusal: &Refusal, challenges: &[Challenge]) -> Self::Refusing;

    /// Returns the response in place of what the inner service answers ([`Refusal::Withheld`]). The inner service has finished;
    /// or, with [`Running::Drop`], it was dropped in the midst of its work, and may not have read all of its request.
    fn withhold(&self, memo: Self::Memo, refusal: &Refusal, running: Running) -> Self::Response;

    /// Returns the response of the inner service, in the type that refusals have as well. If more of it is still to
    /// come, `watch` says when that has to end.
    ///
    /// # Security
    ///
    /// If `watch` is dropped, nothing ends what is still to come.
    fn admit(&self, memo: Self::Memo, response: Res, watch: Watch) -> Self::Response;

    /// Returns what the rule of [`RevocationLayer::with_anonymous_allowed`](crate::RevocationLayer::with_anonymous_allowed) looks at.
    /// Defaults to `None`, for protocols that are not HTTP: no request passes by that rule.
    fn head<'r>(&self, request: &'r Req) -> Option<RequestHead<'r>> {
        let _ = request;
        None
    }

    /// Returns what another layer around this one has put there by [`insert`](Self::insert), so that this one adds to it instead of
    /// taking its place. `None` if there is nothing of that type. Called only if the layer was asked to insert.
    ///
    /// # Security
    ///
    /// If it never finds anything, two layers around one service hand out the guard of the inner one alone: what the outer one
    /// admitted never hears of its revocation.
    fn get<'r, T: Send + Sync + 'static>(&self, request: &'r Req) -> Option<&'r T>;

    /// Puts something where the inner service finds it with its request, in place of what is there of the same type: a
    /// [`ListFreshness`](crate::ListFreshness), a [`RevocationGuard`](crate::RevocationGuard). Called only if the layer was asked to.
    fn insert<T: Clone + Send + Sync + 'static>(&self, request: &mut Req, extension: T);
}
