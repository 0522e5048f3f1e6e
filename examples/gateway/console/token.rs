//! The token that opens the console.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};

/// A token, of which only the hash is kept.
pub(crate) struct Token {
    hash: [u8; 32],
}

impl Token {
    /// The token of this text.
    pub(crate) fn of(text: &str) -> Self {
        Self { hash: hash(text) }
    }

    /// A text with 192 random bits.
    pub(crate) fn random() -> String {
        URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>())
    }

    /// Whether a request presents it, as `Authorization: Bearer <token>`, and once.
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return false;
        };
        let Some((scheme, token)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else {
            return false;
        };
        // How long comparing two hashes takes says nothing of what was hashed.
        scheme.eq_ignore_ascii_case("bearer") && hash(token) == self.hash
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

/// A text that will do as a token: one that nobody guesses, and that a URL and a header can carry as it is.
pub(crate) fn token(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if text.len() < SHORTEST {
        return Err(format!(
            "{SHORTEST} characters or more, please: whoever guesses it can revoke"
        ));
    }
    if !text.bytes().all(is_plain) {
        return Err("only letters, digits and -._~ please".into());
    }
    Ok(text.to_owned())
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

const SHORTEST: usize = 16;
