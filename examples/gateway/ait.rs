//! Agent identity tokens: the claims, as the registry writes them and the gateway reads them.

use serde::{Deserialize, Serialize};

/// The claims of an AIT. As upstream: a claim too many is refused like one too few.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AitClaims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) owner_did: String,
    pub(crate) name: String,
    pub(crate) framework: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) cnf: Confirmation,
    pub(crate) iat: u64,
    pub(crate) nbf: u64,
    pub(crate) exp: u64,
    pub(crate) jti: String,
}

impl AitClaims {
    /// Whether these claims hold at `now` (in seconds), or which does not.
    pub(crate) fn check(&self, issuer: &str, now: u64) -> Result<(), &'static str> {
        let checks = [
            (self.iss == issuer, "iss is another issuer"),
            (is_did(&self.sub, "agent"), "sub is not an agent's DID"),
            (is_did(&self.owner_did, "human"), "ownerDid is not a human's DID"),
            (is_ulid(&self.jti), "jti is not a ULID"),
            (
                self.cnf.jwk.kty == "OKP" && self.cnf.jwk.crv == "Ed25519",
                "cnf.jwk is not an Ed25519 key",
            ),
            (
                self.exp > self.iat && self.exp > self.nbf,
                "exp is not after iat and nbf",
            ),
            (self.iat <= now.saturating_add(LEEWAY_SECS), "iat is in the future"),
            (self.nbf <= now.saturating_add(LEEWAY_SECS), "nbf is in the future"),
            // Upstream grants no leeway here.
            (now < self.exp, "exp has passed"),
        ];
        checks
            .iter()
            .find(|(holds, _)| !holds)
            .map_or(Ok(()), |(_, problem)| Err(problem))
    }
}

/// The agent's own key, which upstream has it prove.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirmation {
    pub(crate) jwk: Jwk,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Jwk {
    pub(crate) kty: String,
    pub(crate) crv: String,
    pub(crate) x: String,
}

/// Whether `did` is `did:cdi:<authority>:<kind>:<ULID>`.
fn is_did(did: &str, kind: &str) -> bool {
    let parts: Vec<&str> = did.split(':').collect();
    matches!(parts[..], ["did", "cdi", authority, its_kind, id]
        if authority.contains('.') && its_kind == kind && is_ulid(id))
}

/// Whether `id` is a ULID in its canonical form: 26 digits of Crockford's base 32, in upper case, within 128 bits.
pub(crate) fn is_ulid(id: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (byte.is_ascii_uppercase() && !b"ILOU".contains(&byte));
    id.len() == 26 && id.as_bytes()[0] <= b'7' && id.bytes().all(is_digit)
}

/// By how much the registry's clock may be ahead of ours.
const LEEWAY_SECS: u64 = 60;
