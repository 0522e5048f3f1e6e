//! The extension point.

use crate::model::credential::Identity;

/// Says what credential a request presents.
///
/// Runs synchronously before the inner service, on every request: it should neither allocate nor block.
/// Closures that return an [`Identity`], a [`Credential`](crate::Credential) or an `Option` of one will do:
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
    /// What `request` presents.
    ///
    /// # Security
    ///
    /// [`Identity::Anonymous`] passes, unless the layer demands a credential. Where there is a credential that
    /// can't be read, say [`Identity::Unreadable`].
    fn identify(&self, request: &Req) -> Identity;
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
