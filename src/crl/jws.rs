//! Signed documents: JSON Web Signatures in compact serialization.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::format::object::Object;

/// Verifies signatures: implemented by [`KeySet`](super::KeySet); for keys in hardware, or another cryptographic
/// library, by the host.
pub trait VerifySignature: Sync {
    /// Returns whether there is a key of this id.
    fn knows(&self, kid: &str) -> bool;

    /// Returns whether `signature` is a signature of `message` by the key `kid` under `algorithm`. `false` if the key is for
    /// another algorithm.
    fn verify(&self, algorithm: &str, kid: &str, message: &[u8], signature: &[u8]) -> bool;
}

/// Verifies a JWS in compact serialization ([RFC 7515 §7.1](https://www.rfc-editor.org/rfc/rfc7515#section-7.1)), and
/// returns its payload.
///
/// The header's `alg` has to be `EdDSA` and its `typ` has to equal `typ`, both to the letter
/// ([RFC 8725 §3.1, §3.11](https://www.rfc-editor.org/rfc/rfc8725#section-3)): a token of another kind by the same
/// issuer is not this document. A `crit` is refused, since we understand no extension
/// ([RFC 7515 §4.1.11](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.11)). Other header parameters (`jku`, `jwk`)
/// are ignored: keys come from `keys` alone. Claims such as `exp` are the caller's to check.
///
/// # Errors
///
/// A [`JwsError`] that names the field. [`JwsError::UnknownKey`] is found before the signature is looked at.
pub fn verify_jws(token: &str, typ: &str, keys: &impl VerifySignature) -> Result<Vec<u8>, JwsError> {
    let jws = Jws::read(token, typ)?;
    jws.verify(keys)?;
    jws.payload()
}

/// A JWS whose header is as it should be, and whose signature is yet to be verified.
pub(crate) struct Jws<'t> {
    header: Header,
    message: &'t str,
    payload: &'t str,
    signature: &'t str,
}

impl<'t> Jws<'t> {
    /// Takes `token` apart and checks its header.
    pub(crate) fn read(token: &'t str, typ: &str) -> Result<Self, JwsError> {
        let (message, signature) = token.rsplit_once('.').ok_or(JwsError::Form)?;
        let (header, payload) = message.split_once('.').ok_or(JwsError::Form)?;
        if payload.contains('.') {
            return Err(JwsError::Form);
        }
        Ok(Self {
            header: Header::read(header, typ)?,
            message,
            payload,
            signature,
        })
    }

    /// Verifies the signature. Nobody may believe the payload before.
    pub(crate) fn verify(&self, keys: &impl VerifySignature) -> Result<(), JwsError> {
        let kid = &self.header.kid;
        if !keys.knows(kid) {
            return Err(JwsError::UnknownKey { kid: kid.clone() });
        }
        let signature = decode("signature", self.signature)?;
        let is_good = keys.verify(ALGORITHM, kid, self.message.as_bytes(), &signature);
        if is_good { Ok(()) } else { Err(JwsError::Signature) }
    }

    /// Returns the payload, decoded.
    pub(crate) fn payload(&self) -> Result<Vec<u8>, JwsError> {
        decode("payload", self.payload)
    }
}

/// What is left of a header once it is checked.
struct Header {
    kid: String,
}

impl Header {
    fn read(part: &str, typ: &str) -> Result<Self, JwsError> {
        if part.len() > LONGEST_HEADER {
            return Err(JwsError::Header(serde::de::Error::custom("longer than 16 KiB")));
        }
        let header = decode("header", part)?;
        let Object::<Parameters>(header) = serde_json::from_slice(&header).map_err(JwsError::Header)?;
        if header.alg != ALGORITHM {
            return Err(JwsError::Algorithm);
        }
        if header.typ.as_deref() != Some(typ) {
            return Err(JwsError::Type {
                expected: typ.to_owned(),
            });
        }
        if header.crit.is_some() {
            return Err(JwsError::Critical);
        }
        let kid = header.kid.filter(|kid| !kid.is_empty()).ok_or(JwsError::NoKeyId)?;
        Ok(Self { kid })
    }
}

/// Why a JWS was refused.
#[derive(Debug)]
#[non_exhaustive]
pub enum JwsError {
    /// `header.alg` is not `EdDSA`.
    Algorithm,
    /// `header.crit` demands an extension.
    Critical,
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
    /// Returns the part at fault: `token`, `header`, `header.alg`, `payload`, `signature`, ….
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Algorithm => "header.alg",
            Self::Critical => "header.crit",
            Self::Encoding(part) => part,
            Self::Form => "token",
            Self::Header(_) => "header",
            Self::NoKeyId | Self::UnknownKey { .. } => "header.kid",
            Self::Signature => "signature",
            Self::Type { .. } => "header.typ",
        }
    }

    /// Returns what is wrong with that part, in words that follow its name.
    pub(crate) fn problem(&self) -> Cow<'static, str> {
        match self {
            Self::Algorithm => "is not EdDSA".into(),
            Self::Critical => "demands an extension that is not understood".into(),
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

/// The parameters that are looked at ([RFC 7515 §4.1](https://www.rfc-editor.org/rfc/rfc7515#section-4.1)).
#[derive(Deserialize)]
struct Parameters {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    /// Any value at all, null too, demands something.
    #[serde(default, deserialize_with = "present")]
    crit: Option<()>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<()>, D::Error> {
    serde::de::IgnoredAny::deserialize(deserializer).map(|_| Some(()))
}

fn decode(part: &'static str, text: &str) -> Result<Vec<u8>, JwsError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| JwsError::Encoding(part))
}

/// In base64url. What is in a header is copied, and quoted in errors, before anybody knows who wrote it.
const LONGEST_HEADER: usize = 16 * 1024;

/// The one algorithm that is accepted ([RFC 8037 §3.1](https://www.rfc-editor.org/rfc/rfc8037#section-3.1)).
pub(crate) const ALGORITHM: &str = "EdDSA";
