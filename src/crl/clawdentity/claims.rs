//! Reads and checks the claims of a list.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::crl::clawdentity::issuer::ClawdentityIssuer;
use crate::crl::list::ListError;
use crate::format::clawdentity::is_ulid;
use crate::format::json::Json;
use crate::model::event::{Reason, Revocation};
use crate::model::key::{Key, KeyKind};
use crate::model::timestamp::Timestamp;
use crate::state::snapshot::{RevocationList, RevocationListBuilder};

/// Reads the claims of a list in one pass. Each entry is checked and goes into the list as it is read, and the first one at
/// fault ends the reading. The other claims are checked after the last one is read.
pub(super) fn read_claims(
    payload: &str,
    issuer: &ClawdentityIssuer,
    now: Timestamp,
) -> Result<RevocationList, ListError> {
    let mut claims = Claims {
        issuer,
        iss: Json::Absent,
        jti: Json::Absent,
        iat: Json::Absent,
        exp: Json::Absent,
        entries: None,
        list: RevocationList::builder(now).with_capacity(KeyKind::Token, payload.len() / USUAL_ENTRY),
        path: ClaimPath::Claims,
        fault: None,
    };
    let mut json = serde_json::Deserializer::from_str(payload);
    match json.deserialize_map(&mut claims).and_then(|()| json.end()) {
        Ok(()) => claims.check(now),
        Err(cause) => Err(claims.error(cause)),
    }
}

/// The claims that are read so far.
struct Claims<'i, 'de> {
    issuer: &'i ClawdentityIssuer,
    iss: Json<'de>,
    jti: Json<'de>,
    iat: Json<'de>,
    exp: Json<'de>,
    /// How many entries there are; `None` before the claim that holds them.
    entries: Option<usize>,
    list: RevocationListBuilder,
    path: ClaimPath,
    /// What is wrong with the entry that is being read: the member, and the problem. A serde error cannot carry it.
    fault: Option<(&'static str, &'static str)>,
}

impl Claims<'_, '_> {
    /// Checks all claims but the entries, which are checked already.
    fn check(self, now: Timestamp) -> Result<RevocationList, ListError> {
        match &self.iss {
            Json::Text(iss) if *iss == self.issuer.name => {}
            Json::Text(_) => return Err(ListError::invalid("iss", "is not the expected issuer")),
            other => return Err(ListError::invalid("iss", other.or("is not a string"))),
        }
        match &self.jti {
            Json::Text(jti) if !jti.is_empty() => {}
            other => {
                return Err(ListError::invalid(
                    "jti",
                    other.or("is not a string with something in it"),
                ));
            }
        }
        let Json::Integer(iat) = self.iat else {
            return Err(ListError::invalid("iat", self.iat.or(NOT_A_DATE)));
        };
        let Json::Integer(exp) = self.exp else {
            return Err(ListError::invalid("exp", self.exp.or(NOT_A_DATE)));
        };
        if exp <= iat {
            return Err(ListError::invalid("exp", "is not later than iat"));
        }
        if exp <= now.as_unix_secs() {
            return Err(ListError::invalid("exp", "has passed"));
        }
        match self.entries {
            None => Err(ListError::invalid("revocations", "is missing")),
            Some(0) => Err(ListError::invalid("revocations", "is empty")),
            Some(_) => Ok(self
                .list
                .with_issued_at(Timestamp::from_unix_secs(iat))
                .with_expiry(Timestamp::from_unix_secs(exp))
                .build()),
        }
    }

    /// Names what could not be read.
    fn error(&self, cause: serde_json::Error) -> ListError {
        match (&self.path, self.fault) {
            (ClaimPath::Claims, _) => ListError::invalid("payload", "is not readable").because(cause),
            (ClaimPath::Revocations, _) => ListError::invalid("revocations", "is not an array").because(cause),
            (ClaimPath::Entry(index), None) => {
                ListError::invalid(format!("revocations[{index}]"), "is not readable").because(cause)
            }
            (ClaimPath::Entry(index), Some((member, problem))) => {
                ListError::invalid(format!("revocations[{index}]{member}"), problem)
            }
        }
    }

    fn push(&mut self, entry: &Json<'_, ListedToken<'_>>) -> Result<(), (&'static str, &'static str)> {
        let Json::Object(entry) = entry else {
            return Err(("", "is not a JSON object"));
        };
        self.list.push(&entry.revocation(self.issuer)?);
        Ok(())
    }
}

impl<'de> Visitor<'de> for &mut Claims<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of claims")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut claims: A) -> Result<(), A::Error> {
        while let Some(ClaimName(name)) = claims.next_key()? {
            let (name, claim) = match &*name {
                "iss" => ("iss", &mut self.iss),
                "jti" => ("jti", &mut self.jti),
                "iat" => ("iat", &mut self.iat),
                "exp" => ("exp", &mut self.exp),
                "revocations" if self.entries.is_none() => {
                    claims.next_value_seed(Entries(self))?;
                    continue;
                }
                "revocations" => return Err(A::Error::duplicate_field("revocations")),
                other => return Err(A::Error::unknown_field(other, &CLAIMS)),
            };
            if !matches!(claim, Json::Absent) {
                return Err(A::Error::duplicate_field(name));
            }
            *claim = claims.next_value()?;
        }
        Ok(())
    }
}

/// A claim's name, borrowed if it has no escapes.
#[derive(Deserialize)]
struct ClaimName<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads the entries into the list.
struct Entries<'c, 'i, 'de>(&'c mut Claims<'i, 'de>);

impl<'de> DeserializeSeed<'de> for Entries<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.path = ClaimPath::Revocations;
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Self(claims) = self;
        let mut count = 0;
        claims.path = ClaimPath::Entry(count);
        while let Some(entry) = entries.next_element()? {
            claims.push(&entry).map_err(|fault| {
                claims.fault = Some(fault);
                A::Error::custom("entry at fault")
            })?;
            count += 1;
            claims.path = ClaimPath::Entry(count);
        }
        claims.entries = Some(count);
        claims.path = ClaimPath::Claims;
        Ok(())
    }
}

/// Which part of the claims is being read.
enum ClaimPath {
    Claims,
    Revocations,
    Entry(usize),
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
    /// Returns what the entry says; or which member is at fault, and why.
    fn revocation(&self, issuer: &ClawdentityIssuer) -> Result<Revocation, (&'static str, &'static str)> {
        let jti = match &self.jti {
            Json::Text(jti) if is_ulid(jti) => jti,
            other => return Err((".jti", other.or("is not a ULID"))),
        };
        let Json::Text(did) = &self.agent_did else {
            return Err((".agentDid", self.agent_did.or("is not a string")));
        };
        issuer.check_agent(did).map_err(|problem| (".agentDid", problem))?;
        let reason = match &self.reason {
            Json::Absent => Reason::Unspecified,
            // A text of so many bytes has no more UTF-16 units.
            Json::Text(text) if text.len() > LONGEST_REASON && text.encode_utf16().count() > LONGEST_REASON => {
                return Err((".reason", "is longer than 280 UTF-16 units"));
            }
            // A registry gives this one reason by itself; all others are free text.
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

/// The claims of a list. It has to have all of them, and no others.
const CLAIMS: [&str; 5] = ["iss", "jti", "iat", "exp", "revocations"];

/// What is wrong with a date of another form.
const NOT_A_DATE: &str = "is not a whole number of seconds since the epoch";

/// The longest reason, in UTF-16 units.
const LONGEST_REASON: usize = 280;

/// The length of a usual entry in bytes. Room for so many entries is made at once, so that a large list is not moved while it
/// grows.
const USUAL_ENTRY: usize = 150;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_secs(1_795_406_460);

    const ENTRY: &str = r#"{"jti":"01KDVDNA09Q5HAD7MTFBDK3NYZ","agentDid":"did:cdi:registry.example.com:agent:01KDVDNA03XJ61A46WBY7B0EGN","revokedAt":1767225720}"#;

    /// Returns what is said of these claims.
    fn read(claims: &[&str]) -> String {
        let issuer = ClawdentityIssuer::new("https://registry.example.com").unwrap();
        match read_claims(&format!("{{{}}}", claims.join(",")), &issuer, NOW) {
            Ok(list) => list.entries().to_string(),
            Err(error) => match std::error::Error::source(&error) {
                Some(cause) => format!("{error}: {cause}"),
                None => error.to_string(),
            },
        }
    }

    #[test]
    fn wants_each_claim_once_and_a_list_that_ends_after_it_began() {
        let revocations = format!(r#""revocations":[{ENTRY}]"#);
        let claims = [
            r#""iss":"https://registry.example.com""#,
            r#""jti":"list""#,
            r#""iat":4102444799"#,
            r#""exp":4102444800"#,
            &revocations,
        ];
        assert_eq!(read(&claims), "1");
        for (nth, name) in CLAIMS.into_iter().enumerate() {
            let mut others = claims.to_vec();
            others.remove(nth);
            assert_eq!(read(&others), format!("{name} is missing"));
            let said = read(&[&claims[..], &[claims[nth]]].concat());
            let twice = format!("payload is not readable: duplicate field `{name}`");
            assert!(said.starts_with(&twice), "{said}");
        }
        let late = [claims[0], claims[1], r#""iat":4102444800"#, claims[3], claims[4]];
        assert_eq!(read(&late), "exp is not later than iat");
    }

    #[test]
    fn names_the_place_where_a_payload_breaks_off() {
        for (claims, expected) in [
            (vec![r#""iss":"x"#], "payload is not readable: EOF"),
            (vec![r#""revocations":7"#], "revocations is not an array: invalid type"),
            (
                vec![r#""revocations":[]"#, r#""jti":"x"#],
                "payload is not readable: EOF",
            ),
            (
                vec![r#""revocations":["#, ENTRY, ENTRY],
                "revocations[0] is not readable",
            ),
        ] {
            let said = read(&claims);
            assert!(said.starts_with(expected), "{said}");
        }
        let broken = format!(r#""revocations":[{ENTRY},{ENTRY},{{"jti""#);
        let said = read(&[&broken]);
        assert!(said.starts_with("revocations[2] is not readable: "), "{said}");
    }
}
