//! Why a signed document was refused.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use crate::jose::algorithm::Algorithm;

/// Why a JWS was refused.
#[derive(Debug)]
#[non_exhaustive]
pub enum JwsError {
    /// `header.alg` is none of those that are accepted.
    Algorithm {
        /// What it is, as far as it can be shown.
        stated: String,
        /// Those that are accepted.
        expected: String,
    },
    /// `header.crit` demands an extension.
    Critical,
    /// It has five parts, as an encrypted token has (JWE), which only the client that it was made for can read.
    Encrypted,
    /// A part is not base64url without padding.
    Encoding(&'static str),
    /// It does not have three parts.
    Form,
    /// The header is not a JSON object with readable members.
    Header(serde_json::Error),
    /// `header.kid` is missing or empty.
    NoKeyId,
    /// The signature does not match.
    Signature,
    /// `header.typ` is another.
    Type {
        /// What it should be.
        expected: String,
    },
    /// `header.kid` names a key that is not known.
    UnknownKey {
        /// The key's id.
        kid: String,
    },
}

impl JwsError {
    /// An algorithm that is not one of `expected`.
    pub(super) fn algorithm(stated: &str, expected: &[Algorithm]) -> Self {
        let names: Vec<_> = expected.iter().map(|algorithm| algorithm.as_str()).collect();
        Self::Algorithm {
            stated: stated.chars().take(LONGEST_NAME).collect(),
            expected: names.join(" or "),
        }
    }

    /// Returns the part at fault: `token`, `header`, `header.alg`, `payload`, `signature`, ….
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Algorithm { .. } => "header.alg",
            Self::Critical => "header.crit",
            Self::Encoding(part) => part,
            Self::Encrypted | Self::Form => "token",
            Self::Header(_) => "header",
            Self::NoKeyId | Self::UnknownKey { .. } => "header.kid",
            Self::Signature => "signature",
            Self::Type { .. } => "header.typ",
        }
    }

    /// Returns what is wrong with that part, in words that follow its name.
    pub(crate) fn problem(&self) -> Cow<'static, str> {
        match self {
            Self::Algorithm { stated, .. } if stated.starts_with("HS") => format!(
                "is {}, whose key is a secret of each client: an asymmetric algorithm is needed",
                stated.escape_debug()
            )
            .into(),
            Self::Algorithm { expected, .. } => format!("is not {expected}").into(),
            Self::Critical => "demands an extension that is not understood".into(),
            Self::Encrypted => "is encrypted (JWE): only signed ones can be read".into(),
            Self::Encoding(_) => "is not base64url without padding".into(),
            Self::Form => "does not have three parts".into(),
            Self::Header(_) => "is not a readable JSON object".into(),
            Self::NoKeyId => "is missing or empty".into(),
            Self::Signature => "does not match".into(),
            Self::Type { expected } => format!("is not {expected}").into(),
            Self::UnknownKey { kid } => format!("names an unknown key: {}", kid.escape_debug()).into(),
        }
    }
}

impl fmt::Display for JwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field(), self.problem())
    }
}

impl Error for JwsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Header(cause) => Some(cause),
            _ => None,
        }
    }
}

/// The longest name of an algorithm that is shown, in characters.
const LONGEST_NAME: usize = 32;
