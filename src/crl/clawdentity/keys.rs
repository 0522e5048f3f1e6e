//! The issuer's signing keys.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::common::log;
use crate::crl::clawdentity::body::read_body;
use crate::crl::list::ListError;
use crate::format::json::Json;
use crate::jose::PublicKey;
use crate::jose::algorithm::Algorithm;
use crate::jose::key_set::KeySet;

/// Reads every key of the set; a malformed one refuses the set. Keys whose `status` is `revoked` are left out, and so are keys that
/// are not understood ([RFC 7517 §5](https://www.rfc-editor.org/rfc/rfc7517#section-5)): of another algorithm or curve, or with a
/// status of its own. If none is left, the set is empty, and no list can be verified.
pub(super) fn read_keys(body: &[u8]) -> Result<KeySet, ListError> {
    let Json::Object(PublishedKeys { keys }) = read_body(body)? else {
        return Err(ListError::invalid("body", "is not a JSON object"));
    };
    if keys.is_empty() {
        return Err(ListError::invalid("keys", "is missing or empty"));
    }
    let mut seen = Vec::with_capacity(keys.len());
    let mut set = KeySet::default();
    for (index, key) in keys.iter().enumerate() {
        let invalid = |(member, problem)| ListError::invalid(format!("keys[{index}]{member}"), problem);
        let (kid, key) = read_key(key).map_err(invalid)?;
        if seen.contains(&kid) {
            return Err(invalid((".kid", "is that of another key")));
        }
        seen.push(kid);
        if let Some(key) = key {
            set = set.with_key(kid, key);
        }
    }
    Ok(set)
}

/// Returns the key's id, and the key if it may be used; or which member is at fault, and why.
fn read_key<'a>(
    key: &'a Json<'_, PublishedKey<'_>>,
) -> Result<(&'a str, Option<PublicKey>), (&'static str, &'static str)> {
    let Json::Object(key) = key else {
        return Err(("", "is not a JSON object"));
    };
    let kid = match &key.kid {
        Json::Text(kid) if !kid.is_empty() => kid,
        other => return Err((".kid", other.or("is not a string with something in it"))),
    };
    let left_out = |member, value: &str| {
        log::warn!(
            kid = &**kid,
            member,
            value,
            "signing key is not understood, and left out"
        );
        Ok((&**kid, None))
    };
    match (&key.alg, &key.kty) {
        (Json::Text(alg), _) if alg == Algorithm::EdDsa.as_str() => {}
        (Json::Text(alg), _) => return left_out("alg", alg),
        (_, Json::Text(kty)) if kty != "OKP" => return left_out("kty", kty),
        (other, _) => return Err((".alg", other.or("is not EdDSA"))),
    }
    match &key.crv {
        Json::Text(crv) if crv == "Ed25519" => {}
        Json::Text(crv) => return left_out("crv", crv),
        other => return Err((".crv", other.or("is not Ed25519"))),
    }
    let x = match &key.x {
        Json::Text(x) => URL_SAFE_NO_PAD.decode(x.as_bytes()).ok(),
        _ => None,
    };
    let Some(public) = x.and_then(|bytes| PublicKey::from_ed25519(&bytes)) else {
        return Err((".x", key.x.or("is not a usable Ed25519 public key in base64url")));
    };
    match &key.status {
        Json::Text(status) if status == "active" => Ok((kid, Some(public))),
        Json::Text(status) if status == "revoked" => Ok((kid, None)),
        Json::Text(status) => left_out("status", status),
        other => Err((".status", other.or("is neither active nor revoked"))),
    }
}

#[derive(Deserialize)]
struct PublishedKeys<'a> {
    #[serde(borrow, default)]
    keys: Vec<Json<'a, PublishedKey<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PublishedKey<'a> {
    #[serde(borrow)]
    kid: Json<'a>,
    #[serde(borrow)]
    kty: Json<'a>,
    #[serde(borrow)]
    alg: Json<'a>,
    #[serde(borrow)]
    crv: Json<'a>,
    #[serde(borrow)]
    x: Json<'a>,
    #[serde(borrow)]
    status: Json<'a>,
}
