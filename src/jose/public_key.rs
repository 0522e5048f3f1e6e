//! A public key of an issuer.

use std::fmt;

#[cfg(all(feature = "cloudevents", feature = "crl-poll"))]
use base64::Engine;
#[cfg(all(feature = "cloudevents", feature = "crl-poll"))]
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
#[cfg(feature = "jwks")]
use rsa::signature::Verifier;
#[cfg(all(feature = "cloudevents", feature = "crl-poll", feature = "jwks"))]
use rsa::traits::PublicKeyParts;
#[cfg(feature = "jwks")]
use rsa::{BoxedUint, pkcs1v15, pss};
#[cfg(feature = "jwks")]
use sha2::{Sha256, Sha384, Sha512};

use crate::jose::algorithm::Algorithm;

/// A public key that verifies signatures: Ed25519 ([RFC 8032](https://www.rfc-editor.org/rfc/rfc8032)); with the feature `jwks` also RSA
/// of 2048 to 8192 bits and ECDSA on P-256 and P-384. Cheap to clone but for RSA.
#[derive(Clone)]
pub struct PublicKey {
    material: Material,
    /// The one algorithm that it is for, if its issuer says so.
    bound_to: Option<Algorithm>,
}

#[derive(Clone)]
enum Material {
    Ed25519(VerifyingKey),
    #[cfg(feature = "jwks")]
    P256(p256::ecdsa::VerifyingKey),
    #[cfg(feature = "jwks")]
    P384(p384::ecdsa::VerifyingKey),
    #[cfg(feature = "jwks")]
    Rsa(rsa::PublicKey),
}

impl PublicKey {
    /// Creates a key from its 32 bytes. `None` if they encode no point, or one of small order, with which anything can be
    /// made to verify.
    #[must_use]
    pub fn from_ed25519(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.try_into().ok()?;
        let key = VerifyingKey::from_bytes(bytes).ok()?;
        (!key.is_weak()).then(|| Self::of(Material::Ed25519(key)))
    }

    /// Creates a key of RSA from its modulus and its exponent, both big-endian. `None` if the modulus has fewer than 2048 bits, which
    /// [RFC 7518 §3.3](https://www.rfc-editor.org/rfc/rfc7518#section-3.3) demands, or more than 8192, or the exponent is even, below
    /// 3 or above 2³³, as no library makes them.
    #[cfg(feature = "jwks")]
    #[must_use]
    pub fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let number = |bytes: &[u8]| {
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let bytes = &bytes[zeros..];
            let bits = bytes.len().checked_mul(8).filter(|bits| *bits <= LARGEST_MODULUS)?;
            BoxedUint::from_be_slice(bytes, u32::try_from(bits).ok()?).ok()
        };
        let (n, e) = (number(modulus)?, number(exponent)?);
        let key = rsa::PublicKey::new_with_size_limits(n, e, 2048..=LARGEST_MODULUS).ok()?;
        Some(Self::of(Material::Rsa(key)))
    }

    /// Creates a key of ECDSA on P-256 from the 32 bytes of each coordinate. `None` if they are no point of the curve.
    #[cfg(feature = "jwks")]
    #[must_use]
    pub fn from_p256(x: &[u8; 32], y: &[u8; 32]) -> Option<Self> {
        let point = [&[UNCOMPRESSED][..], x, y].concat();
        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?;
        Some(Self::of(Material::P256(key)))
    }

    /// Creates a key of ECDSA on P-384 from the 48 bytes of each coordinate. `None` if they are no point of the curve.
    #[cfg(feature = "jwks")]
    #[must_use]
    pub fn from_p384(x: &[u8; 48], y: &[u8; 48]) -> Option<Self> {
        let point = [&[UNCOMPRESSED][..], x, y].concat();
        let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?;
        Some(Self::of(Material::P384(key)))
    }

    /// Binds the key to one algorithm, as a JWK's `alg` does ([RFC 7517 §4.4](https://www.rfc-editor.org/rfc/rfc7517#section-4.4)). `None`
    /// if it is a key for others.
    #[must_use]
    pub fn bound_to(self, algorithm: Algorithm) -> Option<Self> {
        self.is_for(algorithm).then_some(Self {
            bound_to: Some(algorithm),
            ..self
        })
    }

    const fn of(material: Material) -> Self {
        let bound_to = None;
        Self { material, bound_to }
    }

    /// Returns the 32 bytes of an Ed25519 key; `None` for others.
    #[must_use]
    pub fn to_ed25519(&self) -> Option<[u8; 32]> {
        match &self.material {
            Material::Ed25519(key) => Some(key.to_bytes()),
            #[cfg(feature = "jwks")]
            _ => None,
        }
    }

    /// Returns the key that verifies what this one signs.
    #[cfg(feature = "cloudevents")]
    pub(crate) fn of_signing(key: &ed25519_dalek::SigningKey) -> Self {
        Self::of(Material::Ed25519(key.verifying_key()))
    }

    /// Returns the members of its JWK that make it up, in the order of their names, as thumbprints have them
    /// ([RFC 7638 §3.2](https://www.rfc-editor.org/rfc/rfc7638#section-3.2)).
    #[cfg(all(feature = "cloudevents", feature = "crl-poll"))]
    pub(crate) fn jwk_members(&self) -> String {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.material {
            Material::Ed25519(key) => format!(r#""crv":"Ed25519","kty":"OKP","x":"{}""#, text(key.as_bytes())),
            #[cfg(feature = "jwks")]
            Material::P256(key) => {
                let point = key.to_sec1_point(false);
                let (x, y) = (text(&point.as_bytes()[1..33]), text(&point.as_bytes()[33..]));
                format!(r#""crv":"P-256","kty":"EC","x":"{x}","y":"{y}""#)
            }
            #[cfg(feature = "jwks")]
            Material::P384(key) => {
                let point = key.to_sec1_point(false);
                let (x, y) = (text(&point.as_bytes()[1..49]), text(&point.as_bytes()[49..]));
                format!(r#""crv":"P-384","kty":"EC","x":"{x}","y":"{y}""#)
            }
            #[cfg(feature = "jwks")]
            Material::Rsa(key) => {
                let number = |number: &BoxedUint| text(&number.to_be_bytes_trimmed_vartime());
                format!(r#""e":"{}","kty":"RSA","n":"{}""#, number(key.e()), number(key.n()))
            }
        }
    }

    /// Returns the one algorithm that it is for; `None` if there are several.
    #[cfg(all(feature = "cloudevents", feature = "crl-poll"))]
    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        let mut algorithms = Algorithm::ALL.into_iter().filter(|algorithm| self.is_for(*algorithm));
        algorithms.next().filter(|_| algorithms.next().is_none())
    }

    /// Returns whether it verifies signatures under this algorithm.
    #[must_use]
    pub fn is_for(&self, algorithm: Algorithm) -> bool {
        if self.bound_to.is_some_and(|bound_to| bound_to != algorithm) {
            return false;
        }
        match &self.material {
            Material::Ed25519(_) => algorithm == Algorithm::EdDsa,
            #[cfg(feature = "jwks")]
            Material::P256(_) => algorithm == Algorithm::Es256,
            #[cfg(feature = "jwks")]
            Material::P384(_) => algorithm == Algorithm::Es384,
            #[cfg(feature = "jwks")]
            Material::Rsa(_) => algorithm.is_of_rsa(),
        }
    }

    /// Returns whether `signature` is one of `message` under this algorithm, as a JWS has it
    /// ([RFC 7518 §3](https://www.rfc-editor.org/rfc/rfc7518#section-3)). `false` for an algorithm that it is not for.
    ///
    /// Ed25519 is verified strictly: the encoding of the signature is canonical and no point has small order, so that one message has
    /// one signature (the checks of [RFC 8032 §5.1.7](https://www.rfc-editor.org/rfc/rfc8032#section-5.1.7) and more).
    #[must_use]
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.is_for(algorithm)
            && match &self.material {
                Material::Ed25519(key) => Signature::from_slice(signature)
                    .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
                #[cfg(feature = "jwks")]
                Material::P256(key) => p256::ecdsa::Signature::from_slice(signature)
                    .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
                #[cfg(feature = "jwks")]
                Material::P384(key) => p384::ecdsa::Signature::from_slice(signature)
                    .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
                #[cfg(feature = "jwks")]
                Material::Rsa(key) => verify_rsa(key, algorithm, message, signature),
            }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.material {
            Material::Ed25519(_) => "PublicKey(Ed25519)",
            #[cfg(feature = "jwks")]
            Material::P256(_) => "PublicKey(P-256)",
            #[cfg(feature = "jwks")]
            Material::P384(_) => "PublicKey(P-384)",
            #[cfg(feature = "jwks")]
            Material::Rsa(_) => "PublicKey(RSA)",
        })
    }
}

#[cfg(feature = "jwks")]
fn verify_rsa(key: &rsa::PublicKey, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    let pkcs1 = pkcs1v15::Signature::try_from(signature);
    let pss = pss::Signature::try_from(signature);
    let (Ok(pkcs1), Ok(pss)) = (pkcs1, pss) else {
        return false;
    };
    let key = key.clone();
    let verified = match algorithm {
        Algorithm::Rs256 => pkcs1v15::VerifyingKey::<Sha256>::new(key).verify(message, &pkcs1),
        Algorithm::Rs384 => pkcs1v15::VerifyingKey::<Sha384>::new(key).verify(message, &pkcs1),
        Algorithm::Rs512 => pkcs1v15::VerifyingKey::<Sha512>::new(key).verify(message, &pkcs1),
        Algorithm::Ps256 => pss::VerifyingKey::<Sha256>::new(key).verify(message, &pss),
        Algorithm::Ps384 => pss::VerifyingKey::<Sha384>::new(key).verify(message, &pss),
        Algorithm::Ps512 => pss::VerifyingKey::<Sha512>::new(key).verify(message, &pss),
        Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Es384 => return false,
    };
    verified.is_ok()
}

/// The largest modulus that is used, in bits: anybody who may name a key can have its signatures verified.
#[cfg(feature = "jwks")]
const LARGEST_MODULUS: usize = 8192;

/// What an uncompressed point begins with.
#[cfg(feature = "jwks")]
const UNCOMPRESSED: u8 = 4;
