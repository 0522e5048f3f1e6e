//! The extension point for credentials.

use crate::model::challenge::Challenge;
use crate::model::credential::Identity;

/// Says what credential a request presents.
///
/// It runs synchronously before the inner service, on every request: it should neither allocate nor block. A closure
/// that returns an [`Identity`], a [`Credential`](crate::Credential) or an `Option` of one is enough:
///
/// ```
/// use http::Request;
/// use tower_revocation::{Credential, Key, RevocationLayer};
///
/// let by_client = |request: &Request<String>| {
///     let id = request.headers().get("x-client-id")?.to_str().ok()?;
///     Some(Credential::from(Key::client(id)))
/// };
/// let (layer, sink) = RevocationLayer::pair(by_client);
/// # let _ = (layer, sink);
/// ```
pub trait Identify<Req> {
    /// Returns what `request` presents.
    ///
    /// # Security
    ///
    /// [`Identity::Anonymous`] passes, unless the layer demands a credential. If there is a credential that can't be
    /// read, return [`Identity::Unreadable`].
    fn identify(&self, request: &Req) -> Identity;

    /// Returns how to ask for what it reads: one challenge for each scheme. A refusal has them, unless the layer was given others
    /// ([`RevocationLayer::with_challenge`](crate::RevocationLayer::with_challenge)). Defaults to none: then it asks for `Bearer`.
    fn challenges(&self) -> &[Challenge] {
        &[]
    }
}

impl<F, Req, T> Identify<Req> for F
where
    F: Fn(&Req) -> T,
    T: Into<Identity>,
{
    fn identify(&self, request: &Req) -> Identity {
        self(request).into()
    }
}
