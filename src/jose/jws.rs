//! Signed documents: JSON Web Signatures in compact serialization.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::format::object::Object;
use crate::jose::algorithm::Algorithm;
use crate::jose::jws_error::JwsError;
use crate::jose::jws_policy::JwsPolicy;

/// Verifies signatures: implemented by [`KeySet`](super::KeySet); for keys in hardware, or another cryptographic
/// library, by the host.
pub trait VerifySignature: Sync {
    /// Returns whether there is a key of this id for this algorithm; without an id, whether there is any for the algorithm.
    fn knows(&self, algorithm: Algorithm, kid: Option<&str>) -> bool;

    /// Returns whether `signature` is a signature of `message` by the key `kid` under `algorithm`; without an id, by any key for the
    /// algorithm. `false` if the key is for another algorithm.
    fn verify(&self, algorithm: Algorithm, kid: Option<&str>, message: &[u8], signature: &[u8]) -> bool;
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
    let jws = Jws::read(token, &JwsPolicy::exactly(Algorithm::EdDsa, typ))?;
    jws.key_id()?;
    jws.verify(keys)?;
    jws.payload()
}

impl JwsPolicy {
    /// Verifies a JWS in compact serialization ([RFC 7515 §7.1](https://www.rfc-editor.org/rfc/rfc7515#section-7.1)), and returns its
    /// payload. Claims such as `exp` are the caller's to check.
    ///
    /// A `crit` is refused, since we understand no extension. Keys come from `keys` alone, never from the header (`jku`, `jwk`,
    /// `x5c`). A header without a `kid` stands for any key of its algorithm.
    ///
    /// # Errors
    ///
    /// A [`JwsError`] that names the field. All but [`JwsError::UnknownKey`] and [`JwsError::Signature`] are found without a key.
    pub fn verify(&self, token: &str, keys: &impl VerifySignature) -> Result<Vec<u8>, JwsError> {
        let jws = Jws::read(token, self)?;
        jws.verify(keys)?;
        jws.payload()
    }
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
    pub(crate) fn read(token: &'t str, policy: &JwsPolicy) -> Result<Self, JwsError> {
        let (message, signature) = token.rsplit_once('.').ok_or(JwsError::Form)?;
        let (header, payload) = message.split_once('.').ok_or(JwsError::Form)?;
        match payload.bytes().filter(|byte| *byte == b'.').count() {
            0 => {}
            // RFC 7516 §7.1.
            2 => return Err(JwsError::Encrypted),
            _ => return Err(JwsError::Form),
        }
        Ok(Self {
            header: Header::read(header, policy)?,
            message,
            payload,
            signature,
        })
    }

    /// Verifies the signature. Nobody may believe the payload before.
    pub(crate) fn verify(&self, keys: &impl VerifySignature) -> Result<(), JwsError> {
        let Header { algorithm, kid } = &self.header;
        if !self.is_signed_by_one_of(keys) {
            let kid = kid.clone().unwrap_or_default();
            return Err(JwsError::UnknownKey { kid });
        }
        let signature = decode("signature", self.signature)?;
        let is_good = keys.verify(*algorithm, kid.as_deref(), self.message.as_bytes(), &signature);
        if is_good { Ok(()) } else { Err(JwsError::Signature) }
    }

    /// Returns whether the key that the header names is one of these.
    pub(crate) fn is_signed_by_one_of(&self, keys: &impl VerifySignature) -> bool {
        keys.knows(self.header.algorithm, self.header.kid.as_deref())
    }

    /// Returns the key's id, where a document has to name it.
    pub(crate) fn key_id(&self) -> Result<&str, JwsError> {
        self.header.kid.as_deref().ok_or(JwsError::NoKeyId)
    }

    /// Returns the payload, decoded.
    pub(crate) fn payload(&self) -> Result<Vec<u8>, JwsError> {
        decode("payload", self.payload)
    }
}

/// What is left of a header once it is checked.
struct Header {
    algorithm: Algorithm,
    kid: Option<String>,
}

impl Header {
    fn read(part: &str, policy: &JwsPolicy) -> Result<Self, JwsError> {
        if part.len() > LONGEST_HEADER {
            return Err(JwsError::Header(serde::de::Error::custom("longer than 16 KiB")));
        }
        let header = decode("header", part)?;
        let Object::<Parameters>(header) = serde_json::from_slice(&header).map_err(JwsError::Header)?;
        let algorithm = policy.algorithm(&header.alg)?;
        policy.check_type(header.typ.as_deref())?;
        if header.crit.is_some() {
            return Err(JwsError::Critical);
        }
        let kid = header.kid.filter(|kid| !kid.is_empty());
        Ok(Self { algorithm, kid })
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
