//! An unverified reader of JSON Web Tokens.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderName;

use crate::identify::extract::Identify;
use crate::identify::members::{Claim, Members};
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
/// - Every occurrence of a repeated claim counts.
/// - A token that cannot be read is [`Identity::Unreadable`], which the layer refuses by default. If the layer lets it
///   pass, it still checks the other tokens of the request.
#[must_use]
pub fn jwt(header: HeaderName, scheme: impl Into<String>) -> Jwt {
    let claims = vec![
        Claim::new("jti", Key::token),
        Claim::new("sub", Key::subject),
        Claim::new("sid", Key::session),
        Claim::new("client_id", Key::client),
        Claim::new("azp", Key::client),
    ];
    let jwt = Jwt {
        header,
        schemes: Vec::new(),
        challenges: Vec::new(),
        claims,
        kid: [Claim::new("kid", Key::signing_key)],
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
    claims: Vec<Claim>,
    /// The claim that is read in a token's header.
    kid: [Claim; 1],
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

    /// Adds a claim to read, a string or an array of strings. `make` makes its values keys, such as [`Key::tenant`] or
    /// a closure.
    ///
    /// `make` is called for each id that a request presents: it must be fast, and must not block.
    #[must_use]
    pub fn with_claim(
        mut self,
        name: impl Into<Cow<'static, str>>,
        make: impl Fn(&str) -> Key + Send + Sync + 'static,
    ) -> Self {
        self.claims.push(Claim::new(name, make));
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

    /// Reads one token in compact serialization
    /// ([RFC 7515 §7.1](https://www.rfc-editor.org/rfc/rfc7515#section-7.1)).
    fn read(&self, token: &[u8]) -> Result<Credential, &'static str> {
        let mut parts = token.split(|byte| *byte == b'.');
        let (Some(header), Some(payload), Some(_signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("token does not have three parts");
        };
        let mut credential = Credential::new();
        let mut no_date = None;
        with_decoded(header, |header| {
            let members = Members {
                claims: &self.kid,
                credential: &mut credential,
                issued_at: &mut no_date,
            };
            members.read(header).ok_or("token header is not a readable JSON object")
        })?;
        let mut issued_at = None;
        with_decoded(payload, |payload| {
            let members = Members {
                claims: &self.claims,
                credential: &mut credential,
                issued_at: &mut issued_at,
            };
            members
                .read(payload)
                .ok_or("token payload is not a readable JSON object")
        })?;
        Ok(match issued_at {
            Some(issued_at) => credential.with_issued_at(issued_at),
            None => credential,
        })
    }
}

impl<B> Identify<http::Request<B>> for Jwt {
    fn identify(&self, request: &http::Request<B>) -> Identity {
        let mut found: Option<Credential> = None;
        let mut unreadable = None;
        for value in request.headers().get_all(&self.header) {
            for token in self.tokens(value.as_bytes()) {
                match (self.read(token), &mut found) {
                    (Ok(credential), Some(found)) => found.merge(&credential),
                    (Ok(credential), found) => *found = Some(credential),
                    // Continues: a revoked token must be found even if rubbish stands beside it.
                    (Err(problem), _) => unreadable = Some(problem),
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

/// Decodes one part of a token, on the stack if it fits.
fn with_decoded<T>(part: &[u8], read: impl FnOnce(&[u8]) -> Result<T, &'static str>) -> Result<T, &'static str> {
    let undecodable = "token is not base64url without padding";
    let length = base64::decoded_len_estimate(part.len());
    if length <= ON_STACK {
        let mut buffer = [0; ON_STACK];
        let length = URL_SAFE_NO_PAD
            .decode_slice_unchecked(part, &mut buffer)
            .map_err(|_| undecodable)?;
        read(&buffer[..length])
    } else if length <= AT_MOST {
        read(&URL_SAFE_NO_PAD.decode(part).map_err(|_| undecodable)?)
    } else {
        Err("token is longer than 64 KiB")
    }
}

/// Whether a byte separates scheme and token. Some parsers treat a non-breaking space in Latin-1 as a space, and a
/// token has no use for bytes beyond ASCII.
const fn is_separator(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t') || !byte.is_ascii()
}

/// The largest part that is decoded on the stack, in bytes.
const ON_STACK: usize = 2048;

/// The largest part that is read at all, in bytes.
const AT_MOST: usize = 64 * 1024;
