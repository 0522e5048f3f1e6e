//! How a refusal asks for a credential.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use http::{HeaderValue, Uri};

/// Asks for a credential of one scheme, in the `WWW-Authenticate` of a refusal
/// ([RFC 9110 §11.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1)).
///
/// What a client may need to know is checked here, where it is configured: what was accepted is sent, and is well-formed.
///
/// ```
/// use tower_revocation::respond::Challenge;
///
/// let bearer = Challenge::bearer()
///     .with_realm("api")?
///     .with_resource_metadata("https://api.example.com/.well-known/oauth-protected-resource")?;
/// let dpop = Challenge::dpop().with_algs("ES256 EdDSA")?;
///
/// assert_eq!(dpop.to_header_value(), r#"DPoP algs="ES256 EdDSA""#);
/// assert_eq!(
///     Challenge::bearer().with_realm("two\nlines").unwrap_err().to_string(),
///     r#"parameter "realm" of a challenge has a character other than visible ASCII and spaces"#
/// );
/// # let _ = bearer;
/// # Ok::<_, tower_revocation::respond::ChallengeError>(())
/// ```
///
/// The layer takes it by [`RevocationLayer::with_challenge`](crate::RevocationLayer::with_challenge), and adds `error` and
/// `error_description` where a credential was presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    scheme: Cow<'static, str>,
    /// Names, and values as they are written: quoted and escaped.
    parameters: Vec<(Cow<'static, str>, String)>,
}

impl Challenge {
    /// Returns a challenge for a token of the scheme `Bearer` ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750#section-3)).
    #[must_use]
    pub const fn bearer() -> Self {
        Self::known("Bearer")
    }

    /// Returns a challenge for a token of the scheme `DPoP` ([RFC 9449 §7.1](https://www.rfc-editor.org/rfc/rfc9449#section-7.1)).
    /// It should say which algorithms a proof may have: [`with_algs`](Self::with_algs).
    #[must_use]
    pub const fn dpop() -> Self {
        Self::known("DPoP")
    }

    const fn known(scheme: &'static str) -> Self {
        Self {
            scheme: Cow::Borrowed(scheme),
            parameters: Vec::new(),
        }
    }

    /// Returns a challenge for another scheme.
    ///
    /// # Errors
    ///
    /// If `scheme` is no token ([RFC 9110 §5.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2)).
    pub fn new(scheme: impl Into<Cow<'static, str>>) -> Result<Self, ChallengeError> {
        let scheme = scheme.into();
        match is_token(&scheme) {
            true => Ok(Self {
                scheme,
                parameters: Vec::new(),
            }),
            false => Err(ChallengeError {
                what: format!("scheme {scheme:?}"),
                problem: NO_TOKEN,
            }),
        }
    }

    /// Sets what the credential is for, in words of the host's choice. Defaults to none.
    ///
    /// # Errors
    ///
    /// If it has a character other than visible ASCII and spaces.
    pub fn with_realm(self, realm: &str) -> Result<Self, ChallengeError> {
        self.with_parameter("realm", realm)
    }

    /// Sets the scopes that a token needs, separated by spaces ([RFC 6749 §3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)).
    /// Defaults to none.
    ///
    /// # Errors
    ///
    /// If it has none, an empty one, or one with a character that a scope cannot have.
    pub fn with_scope(self, scope: &str) -> Result<Self, ChallengeError> {
        self.with_parameter("scope", scope)
    }

    /// Sets the algorithms that a proof of the scheme `DPoP` may have, separated by spaces. Defaults to none.
    ///
    /// # Errors
    ///
    /// As [`with_scope`](Self::with_scope).
    pub fn with_algs(self, algs: &str) -> Result<Self, ChallengeError> {
        self.with_parameter("algs", algs)
    }

    /// Sets where the metadata of this resource are, which say who issues tokens for it
    /// ([RFC 9728 §5.1](https://www.rfc-editor.org/rfc/rfc9728#section-5.1)). Defaults to none. Clients of the Model Context
    /// Protocol look for it. If your authentication layer names an address as well, give the same one.
    ///
    /// # Errors
    ///
    /// If it is no absolute URL of `https` or `http`, or has a fragment. The RFC wants `https`; `http` is for tests.
    pub fn with_resource_metadata(self, url: &str) -> Result<Self, ChallengeError> {
        self.with_parameter("resource_metadata", url)
    }

    /// Sets another parameter. One that was set before, in whatever case, is replaced: none may occur twice.
    ///
    /// # Errors
    ///
    /// If `name` is no token, or is `error` or `error_description`, which the layer sets; if `value` has a character other than
    /// visible ASCII and spaces, or is not what the methods above take for that name.
    pub fn with_parameter(mut self, name: impl Into<Cow<'static, str>>, value: &str) -> Result<Self, ChallengeError> {
        let name = name.into();
        if let Err(problem) = check(&name, value) {
            let what = format!("parameter {name:?}");
            return Err(ChallengeError { what, problem });
        }
        self.parameters.retain(|(set, _)| !set.eq_ignore_ascii_case(&name));
        self.parameters.push((name, quoted(value)));
        Ok(self)
    }

    /// Returns the name of the scheme, as it is written.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Returns it as it is sent to who has presented no credential: for an authentication layer that asks for the same.
    #[must_use]
    pub fn to_header_value(&self) -> HeaderValue {
        self.written(None)
    }

    /// Returns it as it is sent to who has presented a credential that does not count, and why.
    pub(crate) fn with_error(&self, description: &'static str) -> HeaderValue {
        self.written(Some(description))
    }

    fn written(&self, error: Option<&'static str>) -> HeaderValue {
        let set = self.parameters.iter().map(|(name, value)| format!("{name}={value}"));
        let added = error.map(|error| format!(r#"error="invalid_token", error_description="{error}""#));
        let parameters: Vec<String> = set.chain(added).collect();
        let text = match parameters.is_empty() {
            true => self.scheme.to_string(),
            false => format!("{} {}", self.scheme, parameters.join(", ")),
        };
        HeaderValue::try_from(text).expect("each part of it was checked")
    }
}

/// Says what of a [`Challenge`] no client could read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeError {
    what: String,
    problem: &'static str,
}

impl fmt::Display for ChallengeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of a challenge {}", self.what, self.problem)
    }
}

impl Error for ChallengeError {}

/// What is wrong with a parameter, if anything is.
fn check(name: &str, value: &str) -> Result<(), &'static str> {
    if !is_token(name) {
        return Err(NO_TOKEN);
    }
    if !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err("has a character other than visible ASCII and spaces");
    }
    match name.to_ascii_lowercase().as_str() {
        "error" | "error_description" => Err("is set by the layer"),
        "algs" | "scope" if !value.split(' ').all(is_word) => {
            Err("is not a list of words without quotes, separated by one space each")
        }
        "resource_metadata" if !is_url(value) => Err("is not an absolute URL without a fragment"),
        _ => Ok(()),
    }
}

/// Whether it is a `scope-token`. The names of algorithms are a part of these.
fn is_word(word: &str) -> bool {
    !word.is_empty() && !word.contains(['"', '\\'])
}

fn is_url(url: &str) -> bool {
    // `Uri` reads a fragment and forgets it.
    !url.contains('#')
        && url.parse::<Uri>().is_ok_and(|url| {
            matches!(url.scheme_str(), Some("https" | "http")) && url.host().is_some_and(|host| !host.is_empty())
        })
}

/// Whether it is a token ([RFC 9110 §5.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2)).
fn is_token(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_part)
}

/// Writes a quoted string ([RFC 9110 §5.6.4](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.4)).
fn quoted(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for character in value.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

const NO_TOKEN: &str = "is not a name that a header may have: letters, digits, and few signs";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_written_as_the_standards_show_it() {
        assert_eq!(Challenge::bearer().to_header_value(), "Bearer");
        let all = Challenge::bearer()
            .with_realm(r#"a "quoted" \ realm"#)
            .and_then(|it| it.with_scope("read write"))
            .and_then(|it| it.with_resource_metadata("https://api.example.com:8443/.well-known/x?y=z"))
            .unwrap();
        assert_eq!(
            all.with_error("no"),
            concat!(
                r#"Bearer realm="a \"quoted\" \\ realm", scope="read write", "#,
                r#"resource_metadata="https://api.example.com:8443/.well-known/x?y=z", "#,
                r#"error="invalid_token", error_description="no""#
            )
        );
    }

    #[test]
    fn no_parameter_occurs_twice() {
        let realm = |challenge: Challenge, name: &'static str, value| challenge.with_parameter(name, value).unwrap();
        let twice = realm(realm(Challenge::bearer(), "realm", "one"), "Realm", "two");
        assert_eq!(twice.to_header_value(), r#"Bearer Realm="two""#);
    }

    #[test]
    fn what_no_client_could_read_is_an_error_that_names_it() {
        for scheme in ["", "Two Words", "Bearer:", "Bear\"er", "Bëarer", "a\nb", "a,b", "a=b"] {
            assert!(Challenge::new(scheme).is_err(), "{scheme:?}");
        }
        let scheme = Challenge::new("a\nb").unwrap_err().to_string();
        assert!(
            scheme.starts_with(r#"scheme "a\nb" of a challenge is not a name"#),
            "{scheme}"
        );
        for (name, value) in [
            ("realm", "two\nlines"),
            ("realm", "a\ttab"),
            ("realm", "ü"),
            ("realm", "\u{7f}"),
            ("scope", ""),
            ("scope", " read"),
            ("scope", "read  write"),
            ("SCOPE", "a\"b"),
            ("algs", "ES256\\"),
            ("resource_metadata", "/relative"),
            ("resource_metadata", "api.example.com"),
            ("resource_metadata", "ftp://example.com/"),
            ("resource_metadata", "https://example.com/#part"),
            ("resource_metadata", "https://exa mple.com/"),
            ("resource_metadata", "https:///path"),
            ("error", "invalid_token"),
            ("Error_Description", "mine"),
            ("two words", "x"),
            ("", "x"),
        ] {
            let error = Challenge::bearer().with_parameter(name, value).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("parameter {name:?} of a challenge ")),
                "{error}"
            );
        }
    }
}
