//! An issuer's signing keys, as a JWK set.

use std::error::Error;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::common::log;
use crate::format::json::Json;
use crate::jose::algorithm::Algorithm;
use crate::jose::key_set::KeySet;
use crate::jose::public_key::PublicKey;

impl KeySet {
    /// Reads the signing keys of a JWK set ([RFC 7517 §5](https://www.rfc-editor.org/rfc/rfc7517#section-5)): Ed25519
    /// ([RFC 8037 §2](https://www.rfc-editor.org/rfc/rfc8037#section-2)), and with the feature `jwks` RSA and the curves P-256 and P-384
    /// ([RFC 7518 §6](https://www.rfc-editor.org/rfc/rfc7518#section-6)).
    ///
    /// Keys that are not understood are left out, as RFC 7517 §5 says: of another type or curve, for another use, too small, without a
    /// readable point. A key that states its `alg` is bound to it. A key without a `kid` verifies tokens that name none.
    ///
    /// # Errors
    ///
    /// A [`JwkSetError`] that names the field, if it is no set at all.
    pub fn from_jwk_set(body: &[u8]) -> Result<Self, JwkSetError> {
        let set = serde_json::from_slice(body);
        let set = set.map_err(|cause| JwkSetError::new("body", "is not readable JSON", Some(cause)))?;
        let Json::Object(JwkSet { keys }) = set else {
            return Err(JwkSetError::new("body", "is not a JSON object", None));
        };
        let keys = keys.ok_or_else(|| JwkSetError::new("keys", "is missing", None))?;
        let mut set = Self::default();
        for (nth, key) in keys.iter().enumerate() {
            match read_key(key) {
                Ok((kid, key)) => set.push(kid.map(Into::into), key),
                Err((member, problem)) => log::warn!(nth, member, problem, "signing key is left out"),
            }
        }
        Ok(set)
    }
}

/// Why something is no JWK set.
#[derive(Debug)]
pub struct JwkSetError {
    pub(crate) field: &'static str,
    pub(crate) problem: &'static str,
    cause: Option<serde_json::Error>,
}

impl JwkSetError {
    const fn new(field: &'static str, problem: &'static str, cause: Option<serde_json::Error>) -> Self {
        Self { field, problem, cause }
    }

    /// Returns what caused it.
    #[cfg(feature = "crl-poll")]
    pub(crate) fn into_cause(self) -> Option<serde_json::Error> {
        self.cause
    }
}

impl fmt::Display for JwkSetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.problem)
    }
}

impl Error for JwkSetError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}

/// Which member is at fault, and why.
type JwkFault = (&'static str, &'static str);

/// Returns the key, and its id if it has one.
fn read_key<'a>(key: &'a Json<'_, Jwk<'_>>) -> Result<(Option<&'a str>, PublicKey), JwkFault> {
    let Json::Object(key) = key else {
        return Err(("", "is not a JSON object"));
    };
    if !matches!(key.usage, Json::Absent | Json::Null) {
        is("use", &key.usage, "sig")?;
    }
    let kid = match &key.kid {
        Json::Text(kid) if !kid.is_empty() => Some(&**kid),
        Json::Absent | Json::Null => None,
        _ => return Err(("kid", "is not a string with something in it")),
    };
    let public = key.material()?;
    match &key.alg {
        Json::Absent | Json::Null => Ok((kid, public)),
        Json::Text(alg) => {
            let bound = Algorithm::from_name(alg).and_then(|algorithm| public.bound_to(algorithm));
            Ok((kid, bound.ok_or(("alg", "is another"))?))
        }
        _ => Err(("alg", "is not a string")),
    }
}

fn is(name: &'static str, member: &Json<'_>, known: &str) -> Result<(), JwkFault> {
    match member {
        Json::Text(text) if text == known => Ok(()),
        other => Err((name, other.or("is another"))),
    }
}

#[derive(Deserialize)]
struct JwkSet<'a> {
    #[serde(borrow, default)]
    keys: Option<Vec<Json<'a, Jwk<'a>>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Jwk<'a> {
    #[serde(borrow)]
    kty: Json<'a>,
    #[serde(borrow)]
    crv: Json<'a>,
    #[serde(borrow)]
    alg: Json<'a>,
    #[serde(borrow, rename = "use")]
    usage: Json<'a>,
    #[serde(borrow)]
    kid: Json<'a>,
    #[serde(borrow)]
    x: Json<'a>,
    #[cfg(feature = "jwks")]
    #[serde(borrow)]
    y: Json<'a>,
    #[cfg(feature = "jwks")]
    #[serde(borrow)]
    n: Json<'a>,
    #[cfg(feature = "jwks")]
    #[serde(borrow)]
    e: Json<'a>,
}

impl Jwk<'_> {
    fn material(&self) -> Result<PublicKey, JwkFault> {
        match &self.kty {
            Json::Text(kty) if kty == "OKP" => {
                is("crv", &self.crv, "Ed25519")?;
                let public = bytes(&self.x).and_then(|x| PublicKey::from_ed25519(&x));
                public.ok_or_else(|| ("x", self.x.or("is not a usable Ed25519 public key in base64url")))
            }
            #[cfg(feature = "jwks")]
            Json::Text(kty) if kty == "EC" => {
                let public = match &self.crv {
                    Json::Text(crv) if crv == "P-256" => {
                        PublicKey::from_p256(&coordinate("x", &self.x)?, &coordinate("y", &self.y)?)
                    }
                    Json::Text(crv) if crv == "P-384" => {
                        PublicKey::from_p384(&coordinate("x", &self.x)?, &coordinate("y", &self.y)?)
                    }
                    other => return Err(("crv", other.or("is another"))),
                };
                public.ok_or(("x", "is no point of the curve with y"))
            }
            #[cfg(feature = "jwks")]
            Json::Text(kty) if kty == "RSA" => {
                let n = bytes(&self.n).ok_or_else(|| ("n", self.n.or("is not base64url")))?;
                let e = bytes(&self.e).ok_or_else(|| ("e", self.e.or("is not base64url")))?;
                PublicKey::from_rsa(&n, &e).ok_or(("n", "is no modulus of 2048 to 8192 bits with a usable exponent"))
            }
            other => Err(("kty", other.or("is another"))),
        }
    }
}

/// Reads a coordinate, which has the curve's full length ([RFC 7518 §6.2.1.2](https://www.rfc-editor.org/rfc/rfc7518#section-6.2.1.2)).
#[cfg(feature = "jwks")]
fn coordinate<const LENGTH: usize>(name: &'static str, member: &Json<'_>) -> Result<[u8; LENGTH], JwkFault> {
    let coordinate = bytes(member).and_then(|bytes| bytes.try_into().ok());
    coordinate.ok_or_else(|| (name, member.or("is not a coordinate of the curve in base64url")))
}

fn bytes(member: &Json<'_>) -> Option<Vec<u8>> {
    match member {
        Json::Text(text) => URL_SAFE_NO_PAD.decode(text.as_bytes()).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::jws::VerifySignature;

    /// The key of RFC 8037, appendix A.2, and its thumbprint of A.3.
    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn key(with: &str) -> String {
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}"{with}}}"#)
    }

    fn read(keys: &[String]) -> Result<KeySet, String> {
        let set = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
        KeySet::from_jwk_set(set.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn verifies_what_the_rfcs_key_signed() {
        let keys = read(&[key(r#","kid":"k1","use":"sig","alg":"EdDSA""#)]).unwrap();
        // RFC 8037, appendix A.4.
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert!(keys.verify(Algorithm::EdDsa, Some("k1"), message, &signature));
        assert!(!keys.verify(Algorithm::EdDsa, Some("k1"), &message[1..], &signature));
    }

    #[test]
    fn leaves_out_what_it_does_not_understand() {
        let good = key(r#","kid":"k1""#);
        let others = [
            r#"{"kty":"RSA","kid":"k1","n":"AQAB","e":"AQAB"}"#.to_owned(),
            r#"{"kty":"OKP","crv":"X25519","kid":"k2","x":"AA"}"#.to_owned(),
            r#"{"kty":"OKP","crv":"Ed25519","kid":"k3","x":"AA"}"#.to_owned(),
            r#"{"kty":"OKP","crv":"Ed25519","kid":"k4"}"#.to_owned(),
            r#"{"kty":"oct","kid":"k8","k":"AAAA"}"#.to_owned(),
            r#"{"kty":"EC","crv":"secp256k1","kid":"k9","x":"AA","y":"AA"}"#.to_owned(),
            r#"{"kty":"EC","crv":"P-256","kid":"k10","x":"AA","y":"AA"}"#.to_owned(),
            key(r#","kid":"""#),
            key(r#","kid":7"#),
            key(r#","kid":"k5","use":"enc""#),
            key(r#","kid":"k6","alg":"ES256""#),
            key(r#","kid":"k7","alg":"none""#),
            "7".to_owned(),
        ];
        let keys = read(&[&others[..], std::slice::from_ref(&good)].concat()).unwrap();
        assert_eq!(keys.len(), 1);
        assert!(keys.contains("k1"));
        assert_eq!(read(&[]).unwrap().len(), 0, "nobody signs");
    }

    #[test]
    fn a_key_without_an_id_is_for_tokens_without_one() {
        let keys = read(&[key("")]).unwrap();
        assert_eq!(keys.len(), 1);
        assert!(keys.knows(Algorithm::EdDsa, None));
        assert!(!keys.knows(Algorithm::EdDsa, Some("k1")));
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for body in [
            "",
            "[]",
            "{}",
            r#"{"keys":null}"#,
            r#"{"keys":{}}"#,
            r#"{"keys":[],"keys":[]}"#,
        ] {
            assert!(KeySet::from_jwk_set(body.as_bytes()).is_err(), "{body}");
        }
    }
}
