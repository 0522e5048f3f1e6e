//! Clawdentity's format of lists and keys.

use std::panic::resume_unwind;
use std::str;
use std::thread;

use http::StatusCode;

use crate::crl::clawdentity::body::{Response, is_none_yet, read_body};
use crate::crl::clawdentity::claims::read_claims;
use crate::crl::clawdentity::issuer::ClawdentityIssuer;
use crate::crl::clawdentity::keys::read_keys;
use crate::crl::list::{ListError, ListFormat};
use crate::format::json::Json;
use crate::jose::algorithm::Algorithm;
use crate::jose::jws::Jws;
use crate::jose::jws_policy::JwsPolicy;
use crate::jose::key_set::KeySet;
use crate::model::timestamp::Timestamp;
use crate::state::snapshot::RevocationList;

/// Reads the revocation list of a [Clawdentity](https://github.com/vrknetha/clawdentity) registry (`GET /v1/crl`), and
/// its signing keys (`GET /.well-known/claw-keys.json`).
///
/// The list is `{"crl": <JWS>}`, of `typ` `CRL`, with the claims `iss`, `jti`, `iat`, `exp` and `revocations`; each
/// entry revokes one token by its `jti` ([`Key::token`](crate::Key::token)). An entry does not revoke the agent
/// that it names: a reissue lists the old token while the agent goes on with a new one.
///
/// It is as strict as Clawdentity's own clients: one bad entry refuses the list. So does a claim or a member that is not
/// known, since it may say that the list is not the whole list, and one that is stated twice
/// ([RFC 7519 §4](https://www.rfc-editor.org/rfc/rfc7519#section-4)). No text of the entries is kept. A large list is
/// verified on a thread of its own while it is indexed.
///
/// # Errors
///
/// [`ListError::Invalid`] names the field, such as `exp` or `revocations[3].jti`. A list is refused from its `exp` on,
/// without leeway.
///
/// # Security
///
/// No list is returned before its signature is verified.
#[derive(Clone, Debug)]
pub struct ClawdentityList {
    issuer: Option<ClawdentityIssuer>,
}

impl ClawdentityList {
    /// Creates the format of `issuer`'s list, such as `https://registry.example.com`. The list's `iss` has to equal it to the
    /// letter, wherever the list is fetched from. The agents that the list names have to be of the issuer's host. An issuer
    /// that is not an HTTP URL has no host, and no list is ever accepted.
    #[must_use]
    pub fn new(issuer: impl Into<String>) -> Self {
        Self {
            issuer: ClawdentityIssuer::new(&issuer.into()),
        }
    }
}

impl ListFormat for ClawdentityList {
    fn read_list(&self, body: &[u8], keys: &KeySet, now: Timestamp) -> Result<RevocationList, ListError> {
        let Some(issuer) = &self.issuer else {
            return Err(ListError::invalid(
                "iss",
                "cannot be compared: the configured issuer is not an HTTP URL",
            ));
        };
        let Json::Object(Response { crl }) = read_body(body)? else {
            return Err(ListError::invalid("body", "is not a JSON object"));
        };
        let Json::Text(token) = crl else {
            return Err(ListError::invalid("crl", crl.or("is not a string")));
        };
        let jws = Jws::read(&token, &JwsPolicy::exactly(Algorithm::EdDsa, "CRL"))?;
        jws.key_id()?;
        if token.len() < WORTH_A_THREAD {
            jws.verify(keys)?;
            return index(&jws, issuer, now);
        }
        // Verifying takes about as long as indexing. The list that is made meanwhile is dropped unless the signature holds.
        thread::scope(|scope| {
            let verified = scope.spawn(|| jws.verify(keys));
            let list = index(&jws, issuer, now);
            verified.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            list
        })
    }

    fn read_keys(&self, body: &[u8]) -> Result<KeySet, ListError> {
        read_keys(body)
    }

    fn is_none_yet(&self, status: StatusCode, body: &[u8]) -> bool {
        is_none_yet(status, body)
    }
}

/// Reads the claims of a list, whether or not its signature holds.
fn index(jws: &Jws<'_>, issuer: &ClawdentityIssuer, now: Timestamp) -> Result<RevocationList, ListError> {
    let payload = jws.payload()?;
    let payload =
        str::from_utf8(&payload).map_err(|cause| ListError::invalid("payload", "is not UTF-8").because(cause))?;
    read_claims(payload, issuer, now)
}

/// The length from which on a token is verified on a thread of its own, in bytes: some 1 ms of work.
const WORTH_A_THREAD: usize = 512 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_no_list_without_an_issuer_to_compare() {
        let now = Timestamp::from_unix_secs(1_795_406_460);
        let error = ClawdentityList::new("registry").read_list(b"{}", &KeySet::default(), now);
        assert!(error.unwrap_err().to_string().starts_with("iss "));
    }
}
