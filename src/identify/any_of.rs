//! Several ways to identify a request, put together.

use std::fmt;
use std::sync::OnceLock;

use crate::identify::extract::Identify;
use crate::model::challenge::Challenge;
use crate::model::credential::Identity;

/// Returns an [`Identify`] that asks each of several, a tuple of two to eight, and presents what all of them find.
///
/// The strictest result counts, as [`Identity::merge`] has it. To ask one where the other has found nothing is not enough: then a
/// healthy token in one place hides a revoked one in the other.
///
/// ```
/// use http::Request;
/// use http::header::AUTHORIZATION;
/// use tower_revocation::{Credential, Key, RevocationLayer, identify};
///
/// #[derive(Clone)]
/// struct SessionId(String);
///
/// let jwt = identify::jwt(AUTHORIZATION, "Bearer");
/// let session = identify::extension_with(|session: &SessionId| Credential::from(Key::session(&session.0)));
/// let (layer, sink) = RevocationLayer::pair(identify::any_of((jwt, session)));
/// # let _ = (layer, sink);
/// ```
///
/// A refusal asks for the schemes of all of them, in their order, each once.
#[must_use]
pub const fn any_of<T>(all: T) -> AnyOf<T> {
    AnyOf {
        all,
        challenges: OnceLock::new(),
    }
}

/// Identifies requests in several ways. [`any_of`] makes it.
#[derive(Clone)]
pub struct AnyOf<T> {
    all: T,
    /// Put together when first they are asked for.
    challenges: OnceLock<Vec<Challenge>>,
}

impl<T: fmt::Debug> fmt::Debug for AnyOf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyOf").field(&self.all).finish()
    }
}

/// Adds what is not there yet.
fn unite(challenges: &mut Vec<Challenge>, more: &[Challenge]) {
    for challenge in more {
        let is_other = |known: &Challenge| !known.scheme().eq_ignore_ascii_case(challenge.scheme());
        if challenges.iter().all(is_other) {
            challenges.push(challenge.clone());
        }
    }
}

macro_rules! any_of_tuples {
    ($(($($name:ident)+))+) => {
        $(
            impl<Req, $($name: Identify<Req>),+> Identify<Req> for AnyOf<($($name,)+)> {
                fn identify(&self, request: &Req) -> Identity {
                    #[expect(non_snake_case, reason = "each is named like its type")]
                    let ($($name,)+) = &self.all;
                    let mut found = Identity::Anonymous;
                    $(found.merge($name.identify(request));)+
                    found
                }

                fn challenges(&self) -> &[Challenge] {
                    #[expect(non_snake_case, reason = "each is named like its type")]
                    let ($($name,)+) = &self.all;
                    self.challenges.get_or_init(|| {
                        let mut all = Vec::new();
                        $(unite(&mut all, $name.challenges());)+
                        all
                    })
                }
            }
        )+
    };
}

any_of_tuples! {
    (A B)
    (A B C)
    (A B C D)
    (A B C D E)
    (A B C D E F)
    (A B C D E F G)
    (A B C D E F G H)
}
