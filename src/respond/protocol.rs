//! The extension point for protocols.

use crate::refusal::Refusal;
use crate::verdict::RevocationStatus;

/// What the layer has to know of a protocol; implemented for HTTP by [`Http`](super::Http).
///
/// The service itself names no request or response type, so that implementing this makes any tower service
/// revocable.
pub trait Respond<Req, Res> {
    /// What the wrapped service answers with.
    type Response;

    /// The response to a request that is refused. The inner service never sees it.
    fn refuse(&self, request: Req, refusal: &Refusal) -> Self::Response;

    /// The response of the inner service, in the type that refusals have as well.
    fn admit(response: Res) -> Self::Response;

    /// Tells the inner service how fresh the answer was. Called only where the layer was asked to.
    fn annotate(&self, request: &mut Req, status: RevocationStatus);
}
