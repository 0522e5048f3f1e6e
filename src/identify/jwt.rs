//! An unverified reader of JSON Web Tokens.

use std::borrow::Cow;

use http::HeaderName;

use crate::identify::extract::Identify;
use crate::identify::token::claim::Claim;
use crate::identify::token::reader::TokenReader;
use crate::model::challenge::Challenge;
use crate::model::credential::{Credential, Identity};
use crate::model::key::Key;

/// Returns an [`Identify`] that reads the JSON Web Token in `header` behind `scheme`, such as
/// `Authorization: Bearer <token>`. With an empty scheme, the header's whole value is the token.
///
/// It reads the claims `jti`, `sub`, `sid`, `client_id` and `azp`, the header's `kid`, the same claims of all actors in
/// nested `act` claims ([RFC 8693 §4.1](https://www.rfc-editor.org/rfc/rfc8693#section-4.1)), and `iat`;
/// [`Jwt::with_claim`] adds others. Allocates nothing for tokens whose parts are shorter than 2 KB.
///
/// ```
/// use http::header::AUTHORIZATION;
/// use tower_revocation::{Key, RevocationLayer, identify};
///
/// let jwt = identify::jwt(AUTHORIZATION, "Bearer")
///     .with_claim("tid", Key::tenant)
///     .with_claim("device_id", |id| Key::named("device", id));
/// let (layer, sink) = RevocationLayer::pair(jwt);
/// # let _ = (layer, sink);
/// ```
///
/// # Security
///
/// Nothing is verified: a claim read here can only ever cause a refusal, and authentication has to take place
/// elsewhere. An authentication layer may read a token differently. The following rules prevent that a revoked token
/// passes because of it:
///
/// - The scheme is compared without regard to case ([RFC 9110
///   §11.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.1)), and any run of spaces, tabs or non-ASCII bytes
///   separates.
/// - Every value of the header is read, and every comma-separated part of one. The request presents all of their keys,
///   and counts as issued when the oldest was.
/// - Every occurrence of a repeated claim counts. Names are compared without regard to case and to blanks around them, as Go's
///   and some of Java's libraries do.
/// - Numbers are ids as well. A claim that nobody asked for refuses nobody, whatever it holds; neither does `null`, `true`, or an
///   object where an id belongs.
/// - `iat` may be a number, a number in quotes, or a date of RFC 3339. One that is something else, or beyond every calendar, is no
///   date; a token without a date is refused by any cut-off. The oldest of several counts.
/// - A token within a token is read, up to two levels. Claims that an SD-JWT discloses
///   ([RFC 9901](https://www.rfc-editor.org/rfc/rfc9901)) are read as the token's own, whichever object they belong to. Its holder
///   chooses what is disclosed, and *may withhold a claim altogether*: issue tokens in which the claims that you revoke by are
///   always disclosed, or have authentication demand them. A disclosed `iat` can make a token older, and gives none to a token
///   without one.
/// - A token that cannot be read is [`Identity::Unreadable`], which the layer refuses by default: encrypted, compressed, in JSON.
///   If some of it can be read, it is [`Identity::Partial`]. If the layer lets these pass, it still checks what was read, and the
///   other tokens of the request.
#[must_use]
pub fn jwt(header: HeaderName, scheme: impl Into<String>) -> Jwt {
    let jwt = Jwt {
        header,
        schemes: Vec::new(),
        challenges: Vec::new(),
        reader: TokenReader::new(),
    };
    jwt.with_scheme(scheme)
}

/// Identifies requests by an unverified JSON Web Token. [`jwt`] makes it.
#[derive(Clone, Debug)]
pub struct Jwt {
    header: HeaderName,
    schemes: Vec<String>,
    /// One for each scheme that has a name.
    challenges: Vec<Challenge>,
    reader: TokenReader,
}

impl Jwt {
    /// Adds a scheme, behind which a token is read as well, such as `DPoP` beside `Bearer`. With an empty one, a token is also read
    /// where it stands alone.
    #[must_use]
    pub fn with_scheme(mut self, scheme: impl Into<String>) -> Self {
        let scheme = scheme.into();
        if !self.schemes.iter().any(|named| named.eq_ignore_ascii_case(&scheme)) {
            self.challenges.extend(Challenge::new(scheme.clone()));
            self.schemes.push(scheme);
        }
        self
    }

    /// Adds a claim to read: a string, a number, or an array of these. `make` makes its values keys, such as [`Key::tenant`] or
    /// a closure. A claim may be added several times, and so may those that are read anyway: each time adds a key.
    ///
    /// A number is read as it is written in the token and, where that differs, in plain decimals as well: of `7.0` there are the
    /// keys of `7.0` and of `7`.
    ///
    /// `make` is called for each id that a request presents: it must be fast, and must not block.
    #[must_use]
    pub fn with_claim(
        mut self,
        name: impl Into<Cow<'static, str>>,
        make: impl Fn(&str) -> Key + Send + Sync + 'static,
    ) -> Self {
        self.reader.add_claim(Claim::new(name, make));
        self
    }

    /// Limits the layer to the tokens of one issuer, by their `iss` ([RFC 7519
    /// §4.1.1](https://www.rfc-editor.org/rfc/rfc7519#section-4.1.1)), compared byte for byte. Each call adds one. Defaults to the
    /// tokens of all issuers.
    ///
    /// This is how two layers, each with an issuer and a list of its own, read the same header: a `sub` of one issuer is nobody
    /// of the other's. A token of another issuer is no credential to this layer, so that `Anonymous::Challenge` refuses it:
    /// demand a credential in a layer around both.
    ///
    /// # Security
    ///
    /// A token is another issuer's only if it says so and can be read throughout. A token without `iss`, with one that is no
    /// text, or with several of which one is named here, is read as of this issuer. So is what cannot be read: it is
    /// unreadable to each of the layers.
    ///
    /// Authentication has to check `iss` as well. An `iss` that a holder discloses (SD-JWT) makes no token another issuer's.
    #[must_use]
    pub fn with_issuer(mut self, iss: impl Into<String>) -> Self {
        self.reader.add_issuer(iss.into());
        self
    }

    /// The tokens in one value of the header.
    fn tokens<'v>(&self, value: &'v [u8]) -> impl Iterator<Item = &'v [u8]> {
        value.split(|byte| *byte == b',').flat_map(|part| {
            let words = part.split(is_separator).filter(|word| !word.is_empty());
            let mut words = words.peekable();
            let is_scheme = |word: &&[u8]| {
                let mut schemes = self.schemes.iter();
                schemes.any(|scheme| word.eq_ignore_ascii_case(scheme.as_bytes()))
            };
            let is_ours = words.next_if(is_scheme).is_some() || self.schemes.iter().any(String::is_empty);
            words.take_while(move |_| is_ours)
        })
    }
}

impl<B> Identify<http::Request<B>> for Jwt {
    fn identify(&self, request: &http::Request<B>) -> Identity {
        let mut found: Option<Credential> = None;
        let mut unreadable = None;
        for value in request.headers().get_all(&self.header) {
            for token in self.tokens(value.as_bytes()) {
                let (credential, problem) = match self.reader.read(token) {
                    Identity::Anonymous => continue,
                    Identity::Partial(credential, problem) => (Some(credential), Some(problem)),
                    Identity::Presented(credential) => (Some(credential), None),
                    Identity::Unreadable(problem) => (None, Some(problem)),
                };
                // Continues: a revoked token must be found even if rubbish stands beside it.
                unreadable = unreadable.or(problem);
                match (&mut found, credential) {
                    (Some(found), Some(credential)) => _ = found.merge(&credential),
                    (found @ None, credential) => *found = credential,
                    (Some(_), None) => {}
                }
            }
        }
        match (found, unreadable) {
            (found, None) => found.into(),
            (None, Some(problem)) => Identity::Unreadable(problem),
            (Some(credential), Some(problem)) => Identity::Partial(credential, problem),
        }
    }

    fn challenges(&self) -> &[Challenge] {
        &self.challenges
    }
}

/// Whether a byte separates scheme and token. Some parsers treat a non-breaking space in Latin-1 as a space, and a
/// token has no use for bytes beyond ASCII.
const fn is_separator(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t') || !byte.is_ascii()
}
