//! The extension point for protocols.

use crate::in_flight::watch::Watch;
use crate::model::refusal::Refusal;

/// What the layer has to know of a protocol; implemented for HTTP by [`Http`](super::Http).
///
/// The service itself names no request or response type, so that implementing this makes any tower service
/// revocable. Cloned with every request: be small, or behind an `Arc`.
pub trait Respond<Req, Res>: Clone {
    /// What the wrapped service answers with.
    type Response;

    /// What a refusal has to know of its request. Kept until there is a response, since the request itself is with the inner
    /// service when its credential is revoked meanwhile.
    type Memo;

    /// What to know of `request`. Called for every request: should not allocate.
    fn remember(&self, request: &Req) -> Self::Memo;

    /// The response to a request that is refused: before the inner service sees it, or in place of what the inner
    /// service answers.
    fn refuse(&self, memo: Self::Memo, refusal: &Refusal) -> Self::Response;

    /// The response of the inner service, in the type that refusals have as well. If more of it is to come, `watch` says
    /// when that has to end.
    ///
    /// # Security
    ///
    /// Where `watch` is dropped, nothing ends what is still to come.
    fn admit(&self, memo: Self::Memo, response: Res, watch: Watch) -> Self::Response;

    /// Puts something where the inner service finds it with its request: a
    /// [`ListFreshness`](crate::ListFreshness), a [`RevocationGuard`](crate::RevocationGuard). Called only where
    /// the layer was asked to.
    fn insert<T: Clone + Send + Sync + 'static>(&self, request: &mut Req, extension: T);
}
