//! The part of a request that says what is asked for.

use std::fmt;

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use http::{Extensions, HeaderMap, Method, Request, Uri};

/// Shows an HTTP request without its body, to a rule that says which requests need no credential:
/// [`RevocationLayer::with_anonymous_allowed`](crate::RevocationLayer::with_anonymous_allowed).
#[derive(Clone, Copy)]
pub struct RequestHead<'r> {
    method: &'r Method,
    uri: &'r Uri,
    headers: &'r HeaderMap,
    extensions: &'r Extensions,
}

impl<'r> RequestHead<'r> {
    /// Returns the head of a request.
    #[must_use]
    pub fn of<B>(request: &'r Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }

    /// Returns the method.
    #[must_use]
    pub const fn method(&self) -> &'r Method {
        self.method
    }

    /// Returns the path, as this layer sees it: not decoded, and without the prefix that a router around the layer took off.
    #[must_use]
    pub fn path(&self) -> &'r str {
        self.uri.path()
    }

    /// Returns the address.
    #[must_use]
    pub const fn uri(&self) -> &'r Uri {
        self.uri
    }

    /// Returns the headers.
    #[must_use]
    pub const fn headers(&self) -> &'r HeaderMap {
        self.headers
    }

    /// Returns what layers in front of this one have said of the request, such as axum's `MatchedPath`.
    #[must_use]
    pub const fn extensions(&self) -> &'r Extensions {
        self.extensions
    }

    /// Returns whether it is a [CORS preflight](https://fetch.spec.whatwg.org/#cors-preflight-request), by which a browser asks
    /// whether a page may send a request. It never has a credential.
    #[must_use]
    pub fn is_preflight(&self) -> bool {
        let has = |name| self.headers.contains_key(name);
        *self.method == Method::OPTIONS && has(ORIGIN) && has(ACCESS_CONTROL_REQUEST_METHOD)
    }
}

impl fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", self.method)
            .finish_non_exhaustive()
    }
}
