//! The extension point for refusals in HTTP.

use bytes::Bytes;
use http::request::Parts;

use crate::refusal::Refusal;

/// Writes the HTTP response to a refused request.
///
/// Closures will do, and any body that is made of bytes at once:
///
/// ```
/// use http::{Response, StatusCode, request::Parts};
/// use tower_revocation::{Refusal, RevocationLayer, identify};
///
/// let (layer, sink) = RevocationLayer::pair(identify::jwt(http::header::AUTHORIZATION, "Bearer"));
/// let layer = layer.with_response(|refusal: &Refusal, _request: &Parts| {
///     let status = match refusal {
///         Refusal::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
///         _ => StatusCode::UNAUTHORIZED,
///     };
///     let mut response = Response::new(refusal.as_str());
///     *response.status_mut() = status;
///     response
/// });
/// # let _ = (layer, sink);
/// ```
pub trait Refuse {
    /// The response. The request's body has been dropped.
    fn refuse(&self, refusal: &Refusal, request: &Parts) -> http::Response<Bytes>;
}

impl<F, B> Refuse for F
where
    F: Fn(&Refusal, &Parts) -> http::Response<B>,
    B: Into<Bytes>,
{
    fn refuse(&self, refusal: &Refusal, request: &Parts) -> http::Response<Bytes> {
        self(refusal, request).map(Into::into)
    }
}
