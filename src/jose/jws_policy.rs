//! What a signed document has to be.

use std::borrow::Cow;

use crate::jose::algorithm::Algorithm;
use crate::jose::jws_error::JwsError;

/// What the header of a JWS has to say, before anybody looks for its key ([RFC 8725 §3.1,
/// §3.11](https://www.rfc-editor.org/rfc/rfc8725#section-3)).
///
/// ```
/// use tower_revocation::jose::{Algorithm, JwsPolicy};
///
/// let access_tokens = JwsPolicy::new([Algorithm::Rs256, Algorithm::Es256]).with_types(["at+jwt", "JWT"]).or_untyped();
/// ```
#[derive(Clone, Debug)]
pub struct JwsPolicy {
    algorithms: Vec<Algorithm>,
    types: Option<Vec<Cow<'static, str>>>,
    may_be_untyped: bool,
    is_exact: bool,
}

impl JwsPolicy {
    /// Creates a policy that takes these algorithms, and any `typ` or none.
    #[must_use]
    pub fn new(algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        Self {
            algorithms: algorithms.into_iter().collect(),
            types: None,
            may_be_untyped: true,
            is_exact: false,
        }
    }

    /// Takes these values of `typ` alone, in upper or lower case, with `application/` before them or without
    /// ([RFC 7515 §4.1.9](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.9)). A token without a `typ` is refused, unless
    /// [`or_untyped`](Self::or_untyped) allows it.
    ///
    /// # Security
    ///
    /// Name the type wherever the issuer states one: it tells documents of one kind from others that the same key signed.
    #[must_use]
    pub fn with_types<T: Into<Cow<'static, str>>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        self.types = Some(types.into_iter().map(Into::into).collect());
        self.may_be_untyped = false;
        self
    }

    /// Takes a token without a `typ` as well.
    #[must_use]
    pub const fn or_untyped(mut self) -> Self {
        self.may_be_untyped = true;
        self
    }

    /// Takes one type and one algorithm, both to the letter.
    pub(crate) fn exactly(algorithm: Algorithm, typ: &str) -> Self {
        Self {
            is_exact: true,
            ..Self::new([algorithm]).with_types([typ.to_owned()])
        }
    }

    /// Returns the algorithm that `alg` names, if it is one of these.
    pub(super) fn algorithm(&self, alg: &str) -> Result<Algorithm, JwsError> {
        let known = match self.is_exact {
            true => self.algorithms.iter().copied().find(|known| known.as_str() == alg),
            false => Algorithm::from_name(alg).filter(|known| self.algorithms.contains(known)),
        };
        known.ok_or_else(|| JwsError::algorithm(alg, &self.algorithms))
    }

    /// Checks a header's `typ`.
    pub(super) fn check_type(&self, typ: Option<&str>) -> Result<(), JwsError> {
        let Some(types) = &self.types else { return Ok(()) };
        let is_good = match typ {
            None => self.may_be_untyped,
            Some(typ) if self.is_exact => types.iter().any(|known| known == typ),
            Some(typ) => types.iter().any(|known| bare(typ).eq_ignore_ascii_case(bare(known))),
        };
        match is_good {
            true => Ok(()),
            false => Err(JwsError::Type {
                expected: types.join(" or "),
            }),
        }
    }
}

/// A media type without `application/`.
fn bare(typ: &str) -> &str {
    match typ.split_at_checked(APPLICATION.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(APPLICATION) => rest,
        _ => typ,
    }
}

const APPLICATION: &str = "application/";
