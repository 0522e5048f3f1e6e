//! Clawdentity's signed revocation list.

use std::fmt;
use std::panic::resume_unwind;
use std::str;
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::crl::jws::Jws;
use crate::crl::keys::{KeySet, PublicKey};
use crate::crl::list::{ListError, ListFormat};
use crate::event::{Reason, Revocation};
use crate::format::clawdentity::{agent_did, is_ulid};
use crate::format::json::Json;
use crate::key::{Key, KeyKind};
use crate::snapshot::{Snapshot, SnapshotBuilder};
use crate::timestamp::Timestamp;

/// Reads the revocation list of a [Clawdentity](https://github.com/vrknetha/clawdentity) registry (`GET /v1/crl`), and
/// its signing keys (`GET /.well-known/claw-keys.json`).
///
/// The list is `{"crl": <JWS>}`, of `typ` `CRL`, with the claims `iss`, `jti`, `iat`, `exp` and `revocations`; each
/// entry revokes one token by its `jti` ([`Key::token`]). The agent that an entry names is not revoked by it: a
/// reissue lists the old token while the agent goes on with a new one.
///
/// As strict as Clawdentity's own clients: one bad entry refuses the list. So does a claim or a member that is not
/// known, since what is not understood may say that the list is not the whole list, and one that is stated twice
/// ([RFC 7519 §4](https://www.rfc-editor.org/rfc/rfc7519#section-4)). Keeps none of the entries' text. A large list is
/// verified on a thread of its own while it is indexed.
///
/// # Errors
///
/// [`ListError::Invalid`] names the field, such as `exp` or `revocations[3].jti`. A list is refused from its `exp` on,
/// without leeway.
///
/// # Security
///
/// Nothing comes of a list before its signature is verified.
#[derive(Clone, Debug)]
pub struct ClawdentityList {
    issuer: String,
    host: Option<String>,
}

impl ClawdentityList {
    /// The list of `issuer`, such as `https://registry.example.com`: what its `iss` has to equal to the letter,
    /// wherever it is fetched from. The agents it names have to be of the issuer's host. An issuer that is not an HTTP
    /// URL has no host, and no list is ever accepted.
    #[must_use]
    pub fn new(issuer: impl Into<String>) -> Self {
        let issuer = issuer.into();
        let host = host(&issuer);
        Self { issuer, host }
    }

    /// Reads the claims of a list, believing them.
    fn index(&self, jws: &Jws<'_>, host: &str, now: Timestamp) -> Result<Snapshot, ListError> {
        let payload = jws.payload()?;
        let payload =
            str::from_utf8(&payload).map_err(|cause| ListError::invalid("payload", "is not UTF-8").because(cause))?;
        // Twice over the payload, so that the claims may come in any order: passing over the entries takes a
        // twentieth of the time that verifying and indexing them does (measured with a million).
        let list = self.check_claims(payload, now)?;
        let mut entries = Entries {
            host,
            list: list.with_capacity(KeyKind::Token, payload.len() / USUAL_ENTRY),
            count: 0,
            fault: None,
        };
        match entries.deserialize(&mut serde_json::Deserializer::from_str(payload)) {
            Ok(()) if entries.count == 0 => Err(ListError::invalid("revocations", "is empty")),
            Ok(()) => Ok(entries.list.build()),
            Err(cause) => Err(entries.error(cause)),
        }
    }

    /// Checks all claims but the revocations, and starts a list with its times.
    fn check_claims(&self, payload: &str, now: Timestamp) -> Result<SnapshotBuilder, ListError> {
        let claims: Json<'_, Claims<'_>> = serde_json::from_str(payload)
            .map_err(|cause| ListError::invalid("payload", "is not readable").because(cause))?;
        let Json::Object(claims) = claims else {
            return Err(ListError::invalid("payload", "is not a JSON object"));
        };
        match &claims.iss {
            Json::Text(iss) if *iss == self.issuer => {}
            Json::Text(_) => return Err(ListError::invalid("iss", "is not the expected issuer")),
            other => return Err(ListError::invalid("iss", other.or("is not a string"))),
        }
        match &claims.jti {
            Json::Text(jti) if !jti.is_empty() => {}
            other => {
                return Err(ListError::invalid(
                    "jti",
                    other.or("is not a string with something in it"),
                ));
            }
        }
        let Json::Integer(iat) = claims.iat else {
            return Err(ListError::invalid("iat", claims.iat.or(NOT_A_DATE)));
        };
        let Json::Integer(exp) = claims.exp else {
            return Err(ListError::invalid("exp", claims.exp.or(NOT_A_DATE)));
        };
        if exp <= iat {
            return Err(ListError::invalid("exp", "is not later than iat"));
        }
        if exp <= now.as_unix_secs() {
            return Err(ListError::invalid("exp", "has passed"));
        }
        match claims.revocations {
            Json::Array => {
                Ok(Snapshot::builder(Timestamp::from_unix_secs(iat)).with_expiry(Timestamp::from_unix_secs(exp)))
            }
            other => Err(ListError::invalid("revocations", other.or("is not an array"))),
        }
    }
}

impl ListFormat for ClawdentityList {
    fn read_list(&self, body: &[u8], keys: &KeySet, now: Timestamp) -> Result<Snapshot, ListError> {
        let Some(host) = &self.host else {
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
        let jws = Jws::read(&token, "CRL")?;
        if token.len() < WORTH_A_THREAD {
            jws.verify(keys)?;
            return self.index(&jws, host, now);
        }
        // Verifying takes half of the time. The list that comes of it meanwhile goes nowhere unless it holds.
        thread::scope(|scope| {
            let verified = scope.spawn(|| jws.verify(keys));
            let list = self.index(&jws, host, now);
            verified.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            list
        })
    }

    /// Every key of the set is read, and one that is malformed refuses the set. Keys whose `status` is `revoked` are
    /// left out. If all are, the set is empty: no list can be verified then, which is what the issuer said.
    fn read_keys(&self, body: &[u8]) -> Result<KeySet, ListError> {
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

    /// A 404 whose body is the registry's own `CRL_NOT_FOUND`; any other 404 may come from anywhere.
    fn is_none_yet(&self, status: StatusCode, body: &[u8]) -> bool {
        let Ok(Json::Object(Failure { error })) = read_body(body) else {
            return false;
        };
        let Json::Object(Cause { code: Json::Text(code) }) = error else {
            return false;
        };
        status == StatusCode::NOT_FOUND && code == "CRL_NOT_FOUND"
    }
}

/// The host of an HTTP URL, in lower case, without its port; no user, no IP version 6.
fn host(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let is_http = ["http", "https"].iter().any(|http| scheme.eq_ignore_ascii_case(http));
    let authority = rest.split(['/', '?', '#']).next().filter(|_| is_http)?;
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    let is_plain = !host.is_empty() && !host.contains(['@', '[']) && port.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| host.to_lowercase())
}

fn read_body<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<Json<'a, T>, ListError> {
    serde_json::from_slice(body).map_err(|cause| ListError::invalid("body", "is not readable JSON").because(cause))
}

/// The key's id, and the key if it may be used; or which member is at fault, and why.
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
    match &key.alg {
        Json::Text(alg) if alg == PublicKey::ALGORITHM => {}
        other => return Err((".alg", other.or("is not EdDSA"))),
    }
    match &key.crv {
        Json::Text(crv) if crv == "Ed25519" => {}
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
        other => Err((".status", other.or("is neither active nor revoked"))),
    }
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow, default)]
    crl: Json<'a>,
}

#[derive(Deserialize)]
struct Failure<'a> {
    #[serde(borrow, default)]
    error: Json<'a, Cause<'a>>,
}

#[derive(Deserialize)]
struct Cause<'a> {
    #[serde(borrow, default)]
    code: Json<'a>,
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
    alg: Json<'a>,
    #[serde(borrow)]
    crv: Json<'a>,
    #[serde(borrow)]
    x: Json<'a>,
    #[serde(borrow)]
    status: Json<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Claims<'a> {
    #[serde(borrow)]
    iss: Json<'a>,
    #[serde(borrow)]
    jti: Json<'a>,
    #[serde(borrow)]
    iat: Json<'a>,
    #[serde(borrow)]
    exp: Json<'a>,
    #[serde(borrow)]
    revocations: Json<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Entry<'a> {
    #[serde(borrow)]
    jti: Json<'a>,
    #[serde(borrow, rename = "agentDid")]
    agent_did: Json<'a>,
    #[serde(borrow)]
    reason: Json<'a>,
    #[serde(borrow, rename = "revokedAt")]
    revoked_at: Json<'a>,
}

impl Entry<'_> {
    /// What the entry says; or which member is at fault, and why.
    fn revocation(&self, host: &str) -> Result<Revocation, (&'static str, &'static str)> {
        let jti = match &self.jti {
            Json::Text(jti) if is_ulid(jti) => jti,
            other => return Err((".jti", other.or("is not a ULID"))),
        };
        let Json::Text(did) = &self.agent_did else {
            return Err((".agentDid", self.agent_did.or("is not a string")));
        };
        let authority = agent_did(did).map_err(|problem| (".agentDid", problem))?;
        if authority != host {
            return Err((".agentDid", "names another authority than the issuer's host"));
        }
        let reason = match &self.reason {
            Json::Absent => Reason::Unspecified,
            // A text of so many bytes has no more UTF-16 units.
            Json::Text(text) if text.len() > LONGEST_REASON && text.encode_utf16().count() > LONGEST_REASON => {
                return Err((".reason", "is longer than 280 UTF-16 units"));
            }
            // The one reason that a registry gives by itself; the others are free text.
            Json::Text(text) if text == "reissued" => Reason::Superseded,
            Json::Text(_) => Reason::Unspecified,
            _ => return Err((".reason", "is not a string")),
        };
        let Json::Integer(secs) = self.revoked_at else {
            return Err((".revokedAt", self.revoked_at.or(NOT_A_DATE)));
        };
        let at = Timestamp::from_unix_secs(secs);
        Ok(Revocation::of(Key::token(jti)).at(at).because(reason))
    }
}

/// Streams the entries of a list into a snapshot. Visits first the claims and then, for `revocations`, the array.
struct Entries<'a> {
    host: &'a str,
    list: SnapshotBuilder,
    count: usize,
    /// What is wrong with the entry at `count`, if it could be read at all.
    fault: Option<(&'static str, &'static str)>,
}

impl Entries<'_> {
    fn error(&self, cause: serde_json::Error) -> ListError {
        let index = self.count;
        match self.fault {
            Some((member, problem)) => ListError::invalid(format!("revocations[{index}]{member}"), problem),
            None => ListError::invalid(format!("revocations[{index}]"), "is not readable").because(cause),
        }
    }
}

impl<'de> DeserializeSeed<'de> for &mut Entries<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Entries<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("claims with revocations")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut claims: A) -> Result<(), A::Error> {
        while let Some(name) = claims.next_key::<String>()? {
            if name == "revocations" {
                claims.next_value_seed(&mut *self)?;
            } else {
                claims.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(entry) = entries.next_element::<Json<'de, Entry<'de>>>()? {
            let revocation = match entry {
                Json::Object(entry) => entry.revocation(self.host),
                _ => Err(("", "is not a JSON object")),
            };
            match revocation {
                Ok(revocation) => self.list.push(&revocation),
                Err(fault) => {
                    self.fault = Some(fault);
                    return Err(A::Error::custom("entry at fault"));
                }
            }
            self.count += 1;
        }
        Ok(())
    }
}

/// What is wrong with a date of another form.
const NOT_A_DATE: &str = "is not a whole number of seconds since the epoch";

/// The longest reason, in UTF-16 units.
const LONGEST_REASON: usize = 280;

/// From which length of a token on it pays to verify it on a thread of its own, in bytes: some 1 ms of work.
const WORTH_A_THREAD: usize = 512 * 1024;

/// The length of a usual entry in bytes: a list of so many bytes for each entry is indexed without growing.
const USUAL_ENTRY: usize = 150;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_host_of_an_issuer() {
        for (issuer, expected) in [
            ("https://registry.example.com", Some("registry.example.com")),
            ("HTTPS://Registry.Example.com/path", Some("registry.example.com")),
            ("http://127.0.0.1:1234", Some("127.0.0.1")),
            ("https://a.b:?x", Some("a.b")),
            ("https://", None),
            ("https://:1", None),
            ("https://u@a.b", None),
            ("https://u:1@a.b", None),
            ("https://[::1]", None),
            ("https://a.b:1:2", None),
            ("https://a.b:x", None),
            ("ftp://a.b", None),
            ("a.b", None),
            ("", None),
        ] {
            assert_eq!(host(issuer).as_deref(), expected, "{issuer}");
        }
    }

    #[test]
    fn believes_nobody_but_the_registry_that_there_is_no_list_yet() {
        let list = ClawdentityList::new("https://registry.example.com");
        let body = br#"{"error":{"code":"CRL_NOT_FOUND","message":"CRL snapshot is not available"}}"#;
        assert!(list.is_none_yet(StatusCode::NOT_FOUND, body));
        assert!(!list.is_none_yet(StatusCode::OK, body));
        assert!(!list.is_none_yet(StatusCode::INTERNAL_SERVER_ERROR, body));
        for body in [
            "",
            "<html>not found</html>",
            "{}",
            r#"{"error":"CRL_NOT_FOUND"}"#,
            r#"{"error":{"code":"NOT_FOUND"}}"#,
            r#"{"error":{"code":["CRL_NOT_FOUND"]}}"#,
            r#"[{"error":{"code":"CRL_NOT_FOUND"}}]"#,
            r#"{"code":"CRL_NOT_FOUND"}"#,
        ] {
            assert!(!list.is_none_yet(StatusCode::NOT_FOUND, body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn accepts_no_list_without_an_issuer_to_compare() {
        let error = ClawdentityList::new("registry").read_list(b"{}", &KeySet::default(), Timestamp::default());
        assert!(error.unwrap_err().to_string().starts_with("iss "));
    }
}
