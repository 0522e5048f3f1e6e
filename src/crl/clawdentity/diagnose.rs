//! Reads a list claim by claim, and says what is wrong with it.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::crl::clawdentity::issuer::Issuer;
use crate::crl::list::ListError;
use crate::format::clawdentity::{agent_did, is_ulid};
use crate::format::json::Json;
use crate::model::event::{Reason, Revocation};
use crate::model::key::Key;
use crate::model::timestamp::Timestamp;
use crate::state::snapshot::{RevocationList, RevocationListBuilder};

/// Reads the claims of a list.
pub(super) fn read(payload: &str, issuer: &Issuer, now: Timestamp) -> Result<RevocationList, ListError> {
    let mut entries = Entries {
        host: &issuer.host,
        list: check_claims(payload, issuer, now)?,
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
fn check_claims(payload: &str, issuer: &Issuer, now: Timestamp) -> Result<RevocationListBuilder, ListError> {
    let claims: Json<'_, Claims<'_>> = serde_json::from_str(payload)
        .map_err(|cause| ListError::invalid("payload", "is not readable").because(cause))?;
    let Json::Object(claims) = claims else {
        return Err(ListError::invalid("payload", "is not a JSON object"));
    };
    match &claims.iss {
        Json::Text(iss) if *iss == issuer.name => {}
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
            Ok(RevocationList::builder(Timestamp::from_unix_secs(iat)).with_expiry(Timestamp::from_unix_secs(exp)))
        }
        other => Err(ListError::invalid("revocations", other.or("is not an array"))),
    }
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
struct ListedToken<'a> {
    #[serde(borrow)]
    jti: Json<'a>,
    #[serde(borrow, rename = "agentDid")]
    agent_did: Json<'a>,
    #[serde(borrow)]
    reason: Json<'a>,
    #[serde(borrow, rename = "revokedAt")]
    revoked_at: Json<'a>,
}

impl ListedToken<'_> {
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
        Ok(Revocation::block(Key::token(jti)).at(at).because(reason))
    }
}

/// Streams the entries of a list into a snapshot. Visits first the claims and then, for `revocations`, the array.
struct Entries<'a> {
    host: &'a str,
    list: RevocationListBuilder,
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
        while let Some(entry) = entries.next_element::<Json<'de, ListedToken<'de>>>()? {
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
pub(super) const LONGEST_REASON: usize = 280;
