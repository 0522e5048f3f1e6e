//! The key that signs lists.

use std::error::Error;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest, Sha256};

use crate::crl::open::ListContents;
use crate::crl::open::container::{LIST, ListContainer};
use crate::crl::open::encoded::EncodedList;
use crate::crl::open::list::TYP;
use crate::crl::open::manifest::Manifest;
use crate::jose::{Algorithm, PublicKey};

/// Signs lists with an Ed25519 key ([RFC 8032](https://www.rfc-editor.org/rfc/rfc8032)).
///
/// The key's id is its thumbprint ([RFC 7638](https://www.rfc-editor.org/rfc/rfc7638)), so that one key has one id everywhere.
pub struct Signer {
    key: SigningKey,
    kid: String,
}

impl Signer {
    /// Draws a key at random.
    ///
    /// # Errors
    ///
    /// [`SignerError::NoRandomness`] if the system has none to give.
    pub fn generate() -> Result<Self, SignerError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| SignerError::NoRandomness)?;
        Ok(Self::of(SigningKey::from_bytes(&seed)))
    }

    /// Reads a private key in PEM (`BEGIN PRIVATE KEY`, PKCS #8), as `openssl genpkey -algorithm ed25519` writes it.
    ///
    /// # Errors
    ///
    /// [`SignerError::Malformed`] if it is something else.
    pub fn from_pem(pem: &str) -> Result<Self, SignerError> {
        let (_, rest) = pem.split_once(BEGIN).ok_or(SignerError::Malformed)?;
        let (text, _) = rest.split_once(END).ok_or(SignerError::Malformed)?;
        let text: String = text.split_ascii_whitespace().collect();
        let der = STANDARD.decode(text).map_err(|_| SignerError::Malformed)?;
        seed_of(&der)
            .map(|seed| Self::of(SigningKey::from_bytes(&seed)))
            .ok_or(SignerError::Malformed)
    }

    /// Returns the private key in PEM, as [`from_pem`](Self::from_pem) reads it.
    ///
    /// # Security
    ///
    /// Whoever has it can sign lists: keep it where nobody else reads.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let der = [&[0x30, 0x2e, 0x02, 0x01, 0x00][..], &ED25519, &self.key.to_bytes()].concat();
        format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(der))
    }

    /// Returns the id of the key: its thumbprint.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns the key that verifies what this one signs.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey::of_signing(&self.key)
    }

    /// Returns the JWK set with the public key alone: what gateways fetch, where it is a file.
    #[must_use]
    pub fn jwk_set(&self) -> String {
        format!(r#"{{"keys":[{}]}}"#, jwk(&self.public_key()))
    }

    /// Signs a list: for tools. [`ListServer`](super::ListServer) does it by itself. The generation that is stated there is not used, since
    /// it follows from what the list says.
    ///
    /// # Errors
    ///
    /// [`SignerError::TooLong`] if an id takes 4 GiB or more.
    pub fn sign_list(&self, contents: &ListContents) -> Result<Vec<u8>, SignerError> {
        let encoded =
            EncodedList::of(&contents.in_force, contents.issued_at).map_err(|_too_long| SignerError::TooLong)?;
        let manifest = encoded.manifest(&contents.issuer, contents.issued_at, contents.expires_at);
        let head = self.sign(&manifest).ok_or(SignerError::TooLong)?;
        Ok([head, encoded.body].concat())
    }

    /// Signs what a list says of itself, and returns all that comes before its body. `None` if it is longer than can be stated.
    pub(super) fn sign(&self, manifest: &Manifest) -> Option<Vec<u8>> {
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let header = format!(r#"{{"alg":"{}","typ":"{TYP}","kid":"{}"}}"#, Algorithm::EdDsa, self.kid);
        let message = format!("{}.{}", part(header.as_bytes()), part(&manifest.write()));
        let signature = self.key.sign(message.as_bytes()).to_bytes();
        ListContainer::write_head(LIST, format!("{message}.{}", part(&signature)).as_bytes())
    }

    fn of(key: SigningKey) -> Self {
        let kid = thumbprint(&PublicKey::of_signing(&key));
        Self { key, kid }
    }
}

impl fmt::Debug for Signer {
    /// Writes the key's id alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Returns a key as a JWK ([RFC 7517 §4](https://www.rfc-editor.org/rfc/rfc7517#section-4)).
pub(super) fn jwk(key: &PublicKey) -> String {
    let (kid, members) = (thumbprint(key), key.jwk_members());
    let alg = key
        .algorithm()
        .map(|alg| format!(r#","alg":"{alg}""#))
        .unwrap_or_default();
    format!(r#"{{{members},"kid":"{kid}","use":"sig"{alg}}}"#)
}

/// The id of a key ([RFC 7638 §3](https://www.rfc-editor.org/rfc/rfc7638#section-3), [RFC 8037 §2](https://www.rfc-editor.org/rfc/rfc8037#section-2)).
pub(super) fn thumbprint(key: &PublicKey) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{{{}}}", key.jwk_members())))
}

/// The seed of a private key in PKCS #8 ([RFC 8410 §7](https://www.rfc-editor.org/rfc/rfc8410#section-7)): a sequence of the version, the
/// algorithm and the key; perhaps with attributes and the public key behind them.
fn seed_of(der: &[u8]) -> Option<[u8; 32]> {
    let [0x30, length, rest @ ..] = der else { return None };
    let ([0x02, 0x01, 0x00 | 0x01], rest) = rest
        .split_first_chunk::<3>()
        .filter(|_| usize::from(*length) == rest.len())?
    else {
        return None;
    };
    rest.strip_prefix(&ED25519)?.first_chunk().copied()
}

/// Says what is wrong with a key, or with what it should sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignerError {
    /// It is not an Ed25519 private key in PEM.
    Malformed,
    /// The system has no randomness to give.
    NoRandomness,
    /// An id takes 4 GiB or more.
    TooLong,
}

impl fmt::Display for SignerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not an Ed25519 private key in PEM (PKCS #8)",
            Self::NoRandomness => "the system has no randomness to give",
            Self::TooLong => "an id is too long for a list",
        })
    }
}

impl Error for SignerError {}

/// The algorithm (1.3.101.112), and what comes before the 32 bytes of the key, in DER.
const ED25519: [u8; 11] = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

#[cfg(test)]
mod tests {
    use super::*;

    /// The private key of RFC 8410 §10.3, alone and with its attribute and its public key.
    const ALONE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----";
    const WITH_MORE: &str = "-----BEGIN PRIVATE KEY-----
MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB
Z9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PRIVATE KEY-----";

    #[test]
    fn reads_the_keys_of_the_rfc() {
        let public = URL_SAFE_NO_PAD
            .decode("Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE")
            .unwrap();
        for pem in [ALONE, WITH_MORE] {
            let signer = Signer::from_pem(pem).unwrap();
            assert_eq!(signer.public_key().to_ed25519().unwrap()[..], public);
            assert_eq!(signer.to_pem().trim(), ALONE);
        }
        for pem in [
            "",
            BEGIN,
            &ALONE.replace("MC4C", "MC8C"),
            &ALONE.replace("VwBC", "VuBC"),
        ] {
            assert_eq!(Signer::from_pem(pem).unwrap_err(), SignerError::Malformed, "{pem}");
        }
    }

    /// RFC 8037, appendix A.3.
    #[test]
    fn an_id_is_the_thumbprint() {
        let x = URL_SAFE_NO_PAD
            .decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
            .unwrap();
        let key = PublicKey::from_ed25519(&x).unwrap();
        assert_eq!(thumbprint(&key), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert!(jwk(&key).contains(r#""kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k""#));
    }

    #[test]
    fn a_key_that_is_drawn_can_be_kept() {
        let (one, other) = (Signer::generate().unwrap(), Signer::generate().unwrap());
        assert_ne!(one.kid(), other.kid());
        assert_eq!(Signer::from_pem(&one.to_pem()).unwrap().kid(), one.kid());
        assert_eq!(format!("{one:?}"), format!("Signer {{ kid: {:?}, .. }}", one.kid()));
    }
}
