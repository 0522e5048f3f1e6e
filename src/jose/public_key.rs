//! A public key of an issuer.

use std::fmt;

#[cfg(all(feature = "cloudevents", feature = "crl-poll"))]
use base64::Engine;
#[cfg(all(feature = "cloudevents", feature = "crl-poll"))]
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
#[cfg(feature = "jwks")]
use ring::signature as ring;

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
    /// An uncompressed point ([SEC 1 §2.3.3](https://www.secg.org/sec1-v2.pdf)).
    #[cfg(feature = "jwks")]
    P256([u8; 65]),
    #[cfg(feature = "jwks")]
    P384([u8; 97]),
    /// Modulus and exponent, big-endian, without zeros in front.
    #[cfg(feature = "jwks")]
    Rsa {
        n: Box<[u8]>,
        e: Box<[u8]>,
    },
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
        let (n, e) = (without_zeros(modulus), without_zeros(exponent));
        let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
        let value = e.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        let is_usable =
            (2048..=8192).contains(&bits) && e.len() <= 5 && (3..1 << 33).contains(&value) && value & 1 == 1;
        is_usable.then(|| {
            Self::of(Material::Rsa {
                n: n.into(),
                e: e.into(),
            })
        })
    }

    /// Creates a key of ECDSA on P-256 from the 32 bytes of each coordinate. Whether they are a point of the curve shows when something
    /// is verified: if they are not, nothing ever is.
    #[cfg(feature = "jwks")]
    #[must_use]
    pub fn from_p256(x: &[u8; 32], y: &[u8; 32]) -> Self {
        let mut point = [UNCOMPRESSED; 65];
        point[1..33].copy_from_slice(x);
        point[33..].copy_from_slice(y);
        Self::of(Material::P256(point))
    }

    /// Creates a key of ECDSA on P-384 from the 48 bytes of each coordinate. Whether they are a point of the curve shows when something
    /// is verified: if they are not, nothing ever is.
    #[cfg(feature = "jwks")]
    #[must_use]
    pub fn from_p384(x: &[u8; 48], y: &[u8; 48]) -> Self {
        let mut point = [UNCOMPRESSED; 97];
        point[1..49].copy_from_slice(x);
        point[49..].copy_from_slice(y);
        Self::of(Material::P384(point))
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
            Material::P256(point) => {
                let (x, y) = (text(&point[1..33]), text(&point[33..]));
                format!(r#""crv":"P-256","kty":"EC","x":"{x}","y":"{y}""#)
            }
            #[cfg(feature = "jwks")]
            Material::P384(point) => {
                let (x, y) = (text(&point[1..49]), text(&point[49..]));
                format!(r#""crv":"P-384","kty":"EC","x":"{x}","y":"{y}""#)
            }
            #[cfg(feature = "jwks")]
            Material::Rsa { n, e } => format!(r#""e":"{}","kty":"RSA","n":"{}""#, text(e), text(n)),
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
            Material::Rsa { .. } => algorithm.is_of_rsa(),
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
                Material::P256(point) => ring::UnparsedPublicKey::new(&ring::ECDSA_P256_SHA256_FIXED, point)
                    .verify(message, signature)
                    .is_ok(),
                #[cfg(feature = "jwks")]
                Material::P384(point) => ring::UnparsedPublicKey::new(&ring::ECDSA_P384_SHA384_FIXED, point)
                    .verify(message, signature)
                    .is_ok(),
                #[cfg(feature = "jwks")]
                Material::Rsa { n, e } => parameters(algorithm).is_some_and(|parameters| {
                    ring::RsaPublicKeyComponents { n, e }
                        .verify(parameters, message, signature)
                        .is_ok()
                }),
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
            Material::Rsa { .. } => "PublicKey(RSA)",
        })
    }
}

#[cfg(feature = "jwks")]
const fn parameters(algorithm: Algorithm) -> Option<&'static ring::RsaParameters> {
    match algorithm {
        Algorithm::Ps256 => Some(&ring::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&ring::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&ring::RSA_PSS_2048_8192_SHA512),
        Algorithm::Rs256 => Some(&ring::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&ring::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&ring::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Es384 => None,
    }
}

#[cfg(feature = "jwks")]
fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// What an uncompressed point begins with.
#[cfg(feature = "jwks")]
const UNCOMPRESSED: u8 = 4;
