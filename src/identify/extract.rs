//! The extension point for credentials.

use crate::model::challenge::Challenge;
use crate::model::credential::Identity;

/// Says what credential a request presents.
///
/// It runs synchronously before the inner service, on every request: it should neither allocate nor block. A closure
/// that returns an [`Identity`], a [`Credential`](crate::Credential) or an `Option` of one is enough. This one reads every value
/// of its header, since another reader may take another one than the first:
///
/// ```
/// use http::Request;
/// use tower_revocation::{Credential, Identity, Key, RevocationLayer};
///
/// let by_client = |request: &Request<String>| {
///     let mut found = Identity::Anonymous;
///     for value in request.headers().get_all("x-client-id") {
///         found.merge(match std::str::from_utf8(value.as_bytes()) {
///             Ok(id) => Credential::from(Key::client(id)).into(),
///             Err(_) => Identity::Unreadable("client id is not UTF-8"),
///         });
///     }
///     found
/// };
/// let (layer, sink) = RevocationLayer::pair(by_client);
/// # let _ = (layer, sink);
/// ```
///
/// A closure that finds a JSON Web Token in a place that [`Jwt`](crate::identify::Jwt) does not know hands it to
/// [`token`](crate::identify::token). A request that presents more than [`Credential::MOST_KEYS`](crate::Credential::MOST_KEYS)
/// counts as unreadable.
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
