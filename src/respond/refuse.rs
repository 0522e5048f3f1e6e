//! The extension point for refusals in HTTP.

use bytes::Bytes;
use http::{HeaderMap, Request, Response};

use crate::model::refusal::Refusal;

/// Writes the HTTP response to a refused request.
///
/// A closure is enough if the refusal says all that it needs. Its body may be of any type that is made of bytes at
/// once:
///
/// ```
/// use http::{Response, StatusCode};
/// use tower_revocation::{Refusal, RevocationLayer, identify};
///
/// let (layer, sink) = RevocationLayer::pair(identify::jwt(http::header::AUTHORIZATION, "Bearer"));
/// let layer = layer.with_response(|refusal: &Refusal| {
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
///
/// A 401 without `WWW-Authenticate` gets the challenges of the layer:
/// [`RevocationLayer::with_challenge`](crate::RevocationLayer::with_challenge).
///
/// If it needs more of the request, say what. That is held while the inner service has the request, since its response
/// may still be withheld:
///
/// ```
/// use bytes::Bytes;
/// use http::{Method, Request, Response};
/// use tower_revocation::{Refusal, respond::Refuse};
///
/// #[derive(Clone)]
/// struct ByMethod;
///
/// impl Refuse for ByMethod {
///     type Memo = Method;
///
///     fn remember<B>(&self, request: &Request<B>) -> Method {
///         request.method().clone()
///     }
///
///     fn refuse(&self, refusal: &Refusal, method: Method) -> Response<Bytes> {
///         Response::new(format!("{method}: {}", refusal.as_str()).into())
///     }
/// }
/// ```
///
/// It is cloned with every request: keep it small, or behind an `Arc`.
pub trait Refuse: Clone {
    /// What a refusal has to know about its request.
    type Memo;

    /// Returns what a refusal has to know of `request`. Called for every request: it should not allocate.
    fn remember<B>(&self, request: &Request<B>) -> Self::Memo;

    /// Returns the response to a refused request.
    fn refuse(&self, refusal: &Refusal, memo: Self::Memo) -> Response<Bytes>;

    /// Returns whether the request is a unary call of Connect, if what is remembered tells: then nobody looks at the request for it
    /// once more. Defaults to `None`, which costs no more than that look.
    fn is_connect_unary(&self, memo: &Self::Memo) -> Option<bool> {
        let _ = memo;
        None
    }
}

/// Holds trailers with which the response to a refused request ends. A [`Refuse`] puts it into the response's extensions.
///
/// gRPC needs it where its headers must not state the outcome yet.
#[derive(Clone, Debug)]
pub struct RefusalTrailers(pub HeaderMap);

impl<F, B> Refuse for F
where
    F: Fn(&Refusal) -> Response<B> + Clone,
    B: Into<Bytes>,
{
    type Memo = ();

    fn remember<A>(&self, _request: &Request<A>) {}

    fn refuse(&self, refusal: &Refusal, (): ()) -> Response<Bytes> {
        self(refusal).map(Into::into)
    }
}
