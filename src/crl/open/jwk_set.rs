//! An issuer's signing keys, as a JWK set.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::common::log;
use crate::crl::keys::{KeySet, PublicKey};
use crate::crl::list::ListError;
use crate::format::json::Json;

/// Reads the Ed25519 keys of a JWK set ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517), [RFC 8037 §2](https://www.rfc-editor.org/rfc/rfc8037#section-2)).
/// Keys that are not understood are left out (RFC 7517 §5): of another type or curve, for another use, without an id, without
/// a readable point.
pub(super) fn read_jwk_set(body: &[u8]) -> Result<KeySet, ListError> {
    let set = serde_json::from_slice(body);
    let set = set.map_err(|cause| ListError::invalid("body", "is not readable JSON").because(cause))?;
    let Json::Object(JwkSet { keys }) = set else {
        return Err(ListError::invalid("body", "is not a JSON object"));
    };
    let Some(keys) = keys else {
        return Err(ListError::invalid("keys", "is missing"));
    };
    let mut set = KeySet::default();
    for (nth, key) in keys.iter().enumerate() {
        match read_key(key) {
            Ok((kid, _)) if set.contains(kid) => {
                // Nobody can tell which of the two signed what.
                return Err(ListError::invalid(format!("keys[{nth}].kid"), "is that of another key"));
            }
            Ok((kid, key)) => set = set.with_key(kid, key),
            Err((member, problem)) => log::warn!(nth, member, problem, "signing key is left out"),
        }
    }
    Ok(set)
}

/// Returns the key and its id; or which member is at fault, and why.
fn read_key<'a>(key: &'a Json<'_, Jwk<'_>>) -> Result<(&'a str, PublicKey), (&'static str, &'static str)> {
    let Json::Object(key) = key else {
        return Err(("", "is not a JSON object"));
    };
    is_one_of("kty", &key.kty, &["OKP"])?;
    is_one_of("crv", &key.crv, &["Ed25519"])?;
    // The first is that of RFC 8037 §3.1, the second that of RFC 9864 §2.2.
    if !matches!(key.alg, Json::Absent) {
        is_one_of("alg", &key.alg, &[PublicKey::ALGORITHM, "Ed25519"])?;
    }
    if !matches!(key.usage, Json::Absent) {
        is_one_of("use", &key.usage, &["sig"])?;
    }
    let kid = match &key.kid {
        Json::Text(kid) if !kid.is_empty() => kid,
        other => return Err(("kid", other.or("is not a string with something in it"))),
    };
    let x = match &key.x {
        Json::Text(x) => URL_SAFE_NO_PAD.decode(x.as_bytes()).ok(),
        _ => None,
    };
    let public = x.and_then(|bytes| PublicKey::from_ed25519(&bytes));
    let public = public.ok_or_else(|| ("x", key.x.or("is not a usable Ed25519 public key in base64url")))?;
    Ok((kid, public))
}

fn is_one_of(name: &'static str, member: &Json<'_>, known: &[&str]) -> Result<(), (&'static str, &'static str)> {
    match member {
        Json::Text(text) if known.contains(&&**text) => Ok(()),
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crl::jws::VerifySignature;

    /// The key of RFC 8037, appendix A.2, and its thumbprint of A.3.
    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn key(with: &str) -> String {
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}"{with}}}"#)
    }

    fn read(keys: &[String]) -> Result<KeySet, String> {
        let set = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
        read_jwk_set(set.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn verifies_what_the_rfcs_key_signed() {
        let keys = read(&[key(r#","kid":"k1","use":"sig","alg":"EdDSA""#)]).unwrap();
        // RFC 8037, appendix A.4.
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert!(keys.verify("EdDSA", "k1", message, &signature));
        assert!(!keys.verify("EdDSA", "k1", &message[1..], &signature));
    }

    #[test]
    fn leaves_out_what_it_does_not_understand() {
        let good = key(r#","kid":"k1""#);
        let others = [
            r#"{"kty":"RSA","kid":"k1","n":"AQAB","e":"AQAB"}"#.to_owned(),
            r#"{"kty":"OKP","crv":"X25519","kid":"k2","x":"AA"}"#.to_owned(),
            r#"{"kty":"OKP","crv":"Ed25519","kid":"k3","x":"AA"}"#.to_owned(),
            r#"{"kty":"OKP","crv":"Ed25519","kid":"k4"}"#.to_owned(),
            key(""),
            key(r#","kid":"""#),
            key(r#","kid":7"#),
            key(r#","kid":"k5","use":"enc""#),
            key(r#","kid":"k6","alg":"ES256""#),
            "7".to_owned(),
        ];
        let keys = read(&[&others[..], std::slice::from_ref(&good)].concat()).unwrap();
        assert_eq!(keys.len(), 1);
        assert!(keys.contains("k1"));
        assert_eq!(read(&[]).unwrap().len(), 0, "nobody signs");
        assert_eq!(
            read(&[good.clone(), good]).unwrap_err(),
            "keys[1].kid is that of another key"
        );
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
            assert!(read_jwk_set(body.as_bytes()).is_err(), "{body}");
        }
    }
}
