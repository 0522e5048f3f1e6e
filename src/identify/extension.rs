//! Credentials that an authentication layer has put into the request's extensions.

use std::fmt;
use std::marker::PhantomData;

use crate::identify::extract::Identify;
use crate::model::credential::{Credential, Identity};

/// Returns an [`Identify`] that takes the `T` in a request's extensions, where an authentication layer in front has put
/// it.
///
/// A request without a `T` presents no credential.
///
/// ```
/// use tower_revocation::identify::{self, ToCredential};
/// use tower_revocation::{Credential, Key, RevocationLayer, Timestamp};
///
/// #[derive(Clone)]
/// struct Claims {
///     jti: String,
///     sub: String,
///     iat: u64,
/// }
///
/// impl ToCredential for Claims {
///     fn to_credential(&self) -> Credential {
///         Credential::new()
///             .with_key(Key::token(&self.jti))
///             .with_key(Key::subject(&self.sub))
///             .with_issued_at(Timestamp::from_unix_secs(self.iat))
///     }
/// }
///
/// let (layer, sink) = RevocationLayer::pair(identify::extension::<Claims>());
/// # let _ = (layer, sink);
/// ```
///
/// # Security
///
/// The authentication layer has to run first. If it runs after this one, no request has a `T`, all are anonymous, and
/// all pass. If every request must be authenticated, set `RevocationLayer::with_anonymous(Anonymous::Challenge)`, and
/// the mistake shows at once. Otherwise it shows after 1,000 such requests, in the log and in the status
/// ([`ConcernCode::OnlyAnonymous`](crate::ConcernCode::OnlyAnonymous)).
#[must_use]
pub fn extension<T: ToCredential>() -> Extension<T, fn(&T) -> Credential> {
    extension_with(T::to_credential)
}

/// Returns what [`extension`] does, for types that cannot implement [`ToCredential`].
///
/// ```
/// use tower_revocation::{Credential, Key, RevocationLayer, identify};
///
/// #[derive(Clone)]
/// struct SessionId(String);
///
/// let by_session = identify::extension_with(|session: &SessionId| Credential::from(Key::session(&session.0)));
/// let (layer, sink) = RevocationLayer::pair(by_session);
/// # let _ = (layer, sink);
/// ```
#[must_use]
pub const fn extension_with<T, F, I>(read: F) -> Extension<T, F>
where
    F: Fn(&T) -> I,
{
    Extension {
        read,
        claims: PhantomData,
    }
}

/// Says which credential a value stands for: claims, a session, a credential itself.
pub trait ToCredential {
    /// Returns the credential. Called once per request: keys can be made when the claims are verified, and held beside
    /// them.
    fn to_credential(&self) -> Credential;
}

impl ToCredential for Credential {
    fn to_credential(&self) -> Credential {
        self.clone()
    }
}

/// Identifies requests by a value in their extensions. [`extension`] and [`extension_with`] make it.
pub struct Extension<T, F> {
    read: F,
    claims: PhantomData<fn(&T)>,
}

impl<T, F, I, B> Identify<http::Request<B>> for Extension<T, F>
where
    T: Send + Sync + 'static,
    F: Fn(&T) -> I,
    I: Into<Identity>,
{
    fn identify(&self, request: &http::Request<B>) -> Identity {
        let claims = request.extensions().get::<T>();
        claims.map_or(Identity::Anonymous, |claims| (self.read)(claims).into())
    }
}

impl<T, F: Clone> Clone for Extension<T, F> {
    fn clone(&self) -> Self {
        Self {
            read: self.read.clone(),
            claims: PhantomData,
        }
    }
}

impl<T, F> fmt::Debug for Extension<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extension")
            .field("claims", &std::any::type_name::<T>())
            .finish_non_exhaustive()
    }
}
