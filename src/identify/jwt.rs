//! An unverified reader of JSON Web Tokens.

use std::borrow::Cow;
use std::sync::LazyLock;

use http::HeaderName;
use http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};

use crate::identify::extract::Identify;
use crate::identify::token::claim::Claim;
use crate::identify::token::reader::TokenReader;
use crate::identify::token_place::TokenPlace;
use crate::model::challenge::Challenge;
use crate::model::credential::Identity;
use crate::model::key::Key;

/// Returns an [`Identify`] that reads the JSON Web Token in `header` behind `scheme`, such as
/// `Authorization: Bearer <token>`. With an empty scheme, the header's whole value is the token.
///
/// It reads the claims `jti`, `sub`, `sid`, `client_id` and `azp`, the header's `kid`, the same claims of all actors in
/// nested `act` claims ([RFC 8693 §4.1](https://www.rfc-editor.org/rfc/rfc8693#section-4.1)), and `iat`;
/// [`Jwt::with_claim`] adds others. Allocates nothing for tokens whose parts are shorter than 4 KB.
///
/// ```
/// use http::header::AUTHORIZATION;
/// use tower_revocation::{Key, RevocationLayer, identify};
///
/// let jwt = identify::jwt(AUTHORIZATION, "Bearer")
///     .with_cookie("session")
///     .with_query("access_token")
///     .with_websocket_protocol()
///     .with_claim("tid", Key::tenant)
///     .with_claim("device_id", |id| Key::named("device", id));
/// let (layer, sink) = RevocationLayer::pair(jwt);
/// # let _ = (layer, sink);
/// ```
///
/// # Security
///
/// Nothing is verified: a claim read here can only ever cause a refusal, and authentication has to take place
/// elsewhere. An authentication layer may read a request differently, and the sender chooses the form. The following rules
/// prevent that a revoked token passes because of it:
///
/// - A token is read **wherever it stands in a value of the header**, behind any scheme (`DPoP`, `Token`) or none, in quotes, or
///   behind other characters (`BearerT`, `token=T`). It is known by its form: three or five parts in the alphabet of base64 or
///   base64url with a dot between, the first of which decodes to what begins as a JSON object. So the realms of Digest, the scopes
///   of AWS and the names of files pass as what they are.
/// - **What follows the scheme is meant to be a token.** The scheme counts wherever it stands in the value as a word, in any case
///   ([RFC 9110 §11.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.1)). Any run of spaces, tabs or non-ASCII bytes
///   separates words. If a word behind it, up to the next comma, is not a token, or there is none, the request is
///   [`Identity::Unreadable`], and never anonymous. If there is a token in that word, such as in quotes, its keys count all the same.
/// - Every value of the header is read. The request presents the keys of all tokens, and counts as issued when the oldest
///   was ([`Identity::merge`]). Beyond [`Credential::MOST_KEYS`](crate::Credential::MOST_KEYS) it is refused, also by a layer
///   that lets unreadable tokens pass.
/// - Every occurrence of a repeated claim counts. Names are compared without regard to case and to blanks around them, as Go's
///   and some of Java's libraries do.
/// - Numbers are ids as well, also as JavaScript, Go, Python, Java and Envoy write them once they have read them as doubles. A claim that nobody asked for refuses nobody, whatever it holds; neither does `null`, `true`, or an
///   object where an id belongs.
/// - `iat` may be a number, a number in quotes, or a date of RFC 3339. One that is something else, or beyond every calendar, is no
///   date; a token without a date is refused by any cut-off. The oldest of several counts.
/// - A token within a token is read, up to two levels. Claims that an SD-JWT discloses
///   ([RFC 9901](https://www.rfc-editor.org/rfc/rfc9901)) are read as the token's own, whichever object they belong to. Its holder
///   chooses what is disclosed, and *may withhold a claim altogether*: issue tokens in which the claims that you revoke by are
///   always disclosed, or have authentication demand them. A disclosed `iat` can make a token older, and gives none to a token
///   without one.
/// - Actors are read at any depth. A token with more than 64, each within the one before, counts as unreadable beside its keys.
/// - A token that cannot be read is [`Identity::Unreadable`], which the layer refuses by default: encrypted, compressed, in JSON.
///   If some of it can be read, it is [`Identity::Partial`]. If the layer lets these pass, it still checks what was read, and the
///   other tokens of the request.
#[must_use]
pub fn jwt(header: HeaderName, scheme: impl Into<String>) -> Jwt {
    Jwt::new().with_header(header, scheme)
}

/// Returns what a JSON Web Token presents that a closure has found somewhere, with the claims that [`jwt`] reads unasked.
/// Blanks around it do not count.
///
/// It is never [`Identity::Anonymous`]: a text that is no token, an empty one too, is [`Identity::Unreadable`]. What is read can be
/// put together with [`Identity::merge`]. [`Jwt::read_token`] reads other claims as well.
///
/// ```
/// use http::Request;
/// use tower_revocation::{Identity, RevocationLayer, identify};
///
/// // An assertion that a proxy has made, of each hop that the request has passed.
/// let by_assertion = |request: &Request<String>| {
///     let mut found = Identity::Anonymous;
///     for value in request.headers().get_all("x-assertion") {
///         found.merge(identify::token(value));
///     }
///     found
/// };
/// let (layer, sink) = RevocationLayer::pair(by_assertion);
/// # let _ = (layer, sink);
/// ```
#[must_use]
pub fn token(text: impl AsRef<[u8]>) -> Identity {
    static JWT: LazyLock<Jwt> = LazyLock::new(Jwt::new);
    JWT.read_token(text)
}

/// Identifies requests by an unverified JSON Web Token. [`jwt`] makes it.
#[derive(Clone, Debug)]
pub struct Jwt {
    places: Vec<TokenPlace>,
    /// One for each scheme that has a name.
    challenges: Vec<Challenge>,
    reader: TokenReader,
}

impl Jwt {
    /// Returns one that looks nowhere yet, for tokens that come in a cookie or a query alone. To it, all requests are anonymous
    /// until a place is added.
    #[must_use]
    pub fn new() -> Self {
        Self {
            places: Vec::new(),
            challenges: Vec::new(),
            reader: TokenReader::new(),
        }
    }

    /// Adds a header, in which tokens are read as [`jwt`] says, and a scheme. A header may be named several times, each time with
    /// another scheme.
    #[must_use]
    pub fn with_header(mut self, header: HeaderName, scheme: impl Into<String>) -> Self {
        let is_it = |place: &mut TokenPlace| matches!(place, TokenPlace::Header(name, _) if *name == header);
        let known = self.places.extract_if(.., is_it).next();
        self.places
            .push(known.unwrap_or(TokenPlace::Header(header, Vec::new())));
        self.with_scheme(scheme)
    }

    /// Adds a scheme to the header that was named last, or to `Authorization` if none was. What follows it is meant to be a token, as
    /// with `DPoP` beside `Bearer`. With an empty one, all of a value is.
    ///
    /// A refusal asks for each scheme, if the layer was given no challenges
    /// ([`RevocationLayer::with_challenge`](crate::RevocationLayer::with_challenge)). Tokens are read behind schemes that are not
    /// named here as well. But then what cannot be read is anonymous.
    #[must_use]
    pub fn with_scheme(mut self, scheme: impl Into<String>) -> Self {
        let scheme = scheme.into();
        let mut headers = self.places.iter_mut().rev().filter_map(TokenPlace::schemes);
        let Some(schemes) = headers.next() else {
            return self.with_header(AUTHORIZATION, scheme);
        };
        if !schemes.iter().any(|named| named.eq_ignore_ascii_case(&scheme)) {
            schemes.push(scheme.clone());
        }
        let mut asked = self.challenges.iter();
        if !asked.any(|asked| asked.scheme().eq_ignore_ascii_case(&scheme)) {
            self.challenges.extend(Challenge::new(scheme));
        }
        self
    }

    /// Adds a cookie whose value is the token, perhaps behind `Bearer`. Its name's case counts.
    ///
    /// Every value of that name counts, in every `Cookie` header, in quotes or not, with escapes undone (percent-encoding,
    /// backslashes). An empty value is no credential. Another that is no token is [`Identity::Unreadable`]. Some servers take a name also
    /// behind a comma or a blank, where for others it is a part of another cookie's value: there a token is read, and what has no
    /// token's form is passed over.
    /// Allocates only for a value over 4 KB with escapes.
    #[must_use]
    pub fn with_cookie(mut self, name: impl Into<String>) -> Self {
        self.places.push(TokenPlace::Cookie(name.into()));
        self
    }

    /// Adds a parameter of the query whose value is the token, such as `access_token`
    /// ([RFC 6750 §2.3](https://www.rfc-editor.org/rfc/rfc6750#section-2.3)).
    ///
    /// Names and values are percent-decoded, and a plus sign is a blank. The name's case counts. Every value counts. An empty
    /// value is no credential. Another that is no token is [`Identity::Unreadable`]. Allocates only for a value over 4 KB with
    /// escapes.
    ///
    /// # Security
    ///
    /// The same parameter in the body of a form is not read: no body is.
    #[must_use]
    pub fn with_query(mut self, name: impl Into<String>) -> Self {
        self.places.push(TokenPlace::Query(name.into()));
        self
    }

    /// Adds the protocols that a WebSocket is opened with. Browsers cannot set `Authorization` there, so that pages send the token as
    /// one of them: `new WebSocket(url, ["bearer", token])` is `Sec-WebSocket-Protocol: bearer, <token>`
    /// ([RFC 6455 §11.3.4](https://www.rfc-editor.org/rfc/rfc6455#section-11.3.4)).
    ///
    /// A token counts wherever it stands in the list, on however many lines the list comes. Other protocols may stand beside it, in
    /// any order. A list with `bearer`, in any case, in which nothing is a token is [`Identity::Unreadable`]. So is a list with
    /// something that begins as a token and cannot be read.
    ///
    /// The protocol of Kubernetes is read as well, in which the token is encoded once more:
    /// `base64url.bearer.authorization.k8s.io.<base64url of the token>`. What stands there is meant to be a token. Allocates only if it is
    /// over 4 KB.
    #[must_use]
    pub fn with_websocket_protocol(mut self) -> Self {
        let schemes = vec!["bearer".to_owned()];
        // In front: a scheme that is added later is for the header that the host has named.
        self.places
            .insert(0, TokenPlace::Header(SEC_WEBSOCKET_PROTOCOL, schemes));
        self
    }

    /// Adds a claim to read: a string, a number, or an array of these. `make` makes its values keys, such as [`Key::tenant`] or
    /// a closure. A claim may be added several times, and so may those that are read anyway: each time adds a key.
    ///
    /// A number is read as it is written in the token and, where that differs, in plain decimals as well: of `7.0` there are the
    /// keys of `7.0` and of `7`. Verifiers that read it as a double may write another text of it: unless it stands in an array, there is a
    /// key of each that differs (`1175928847299117063` is `1175928847299117000` in JavaScript). They cost some keys of the
    /// [`Credential::MOST_KEYS`](crate::Credential::MOST_KEYS).
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

    /// Reads the subject of a token that names no session (`sid`) as a key of the name
    /// [`SESSIONLESS_SUBJECT`](super::SESSIONLESS_SUBJECT) as well. By default it does not.
    ///
    /// For [`LogoutEffect::ByCredential`](crate::logout::LogoutEffect::ByCredential) (feature `logout`): the logout of one session then ends
    /// all tokens of its user that name no session, and spares those that name another one. Such a token is read twice.
    #[must_use]
    pub fn with_sessionless_subjects(mut self) -> Self {
        self.reader.present_sessionless_subjects();
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

    /// Adds a claim within others, such as the thumbprint of the key that a token is bound to
    /// ([RFC 9449 §6.1](https://www.rfc-editor.org/rfc/rfc9449#section-6.1)): the names of the objects around it, from the
    /// outermost one, and its own. Each is a whole name: a dot in it stands for itself. In an array, and in arrays within it, each
    /// object counts. The rest is as with [`with_claim`](Self::with_claim). An empty path names nothing, and one within `act` does not
    /// either: of an actor the same claims are read as of the token.
    ///
    /// # Security
    ///
    /// What an SD-JWT discloses may stand at any level of a path: in a token with `cnf`, a disclosed `jkt` is `cnf.jkt`. Only a digest
    /// says which object a disclosed member belongs to, and digests are not looked up. So a disclosed member that is named like one of
    /// the path counts as that one, in an array the objects that are disclosed count as well, and so does what is in them, disclosed
    /// too or not. A member of the same name in another object can therefore be a key too much, which refuses only if it is revoked. The
    /// holder may withhold what can be disclosed: see [`jwt`].
    ///
    /// ```
    /// use http::header::AUTHORIZATION;
    /// use tower_revocation::{Key, identify};
    ///
    /// let jwt = identify::jwt(AUTHORIZATION, "DPoP").with_claim_at(["cnf", "jkt"], |id| Key::named("bound-key", id));
    /// # let _ = jwt;
    /// ```
    #[must_use]
    pub fn with_claim_at(
        mut self,
        path: impl IntoIterator<Item = impl Into<Cow<'static, str>>>,
        make: impl Fn(&str) -> Key + Send + Sync + 'static,
    ) -> Self {
        if let Some(claim) = Claim::at(path.into_iter().map(Into::into), make) {
            self.reader.add_claim(claim);
        }
        self
    }

    /// Returns what one token presents, which was found by other means, as [`token`] does, with the claims of this reader; it is
    /// [`Identity::Anonymous`] if it is the token of an issuer that [`with_issuer`](Self::with_issuer) leaves out.
    #[must_use]
    pub fn read_token(&self, text: impl AsRef<[u8]>) -> Identity {
        self.reader.read(text.as_ref().trim_ascii())
    }
}

impl<B> Identify<http::Request<B>> for Jwt {
    fn identify(&self, request: &http::Request<B>) -> Identity {
        let mut found = Identity::Anonymous;
        for place in &self.places {
            place.read(
                request.headers(),
                request.uri(),
                &|token| self.read_token(token),
                &mut found,
            );
        }
        found
    }

    fn challenges(&self) -> &[Challenge] {
        &self.challenges
    }
}

impl Default for Jwt {
    fn default() -> Self {
        Self::new()
    }
}
