//! Reads a list in one pass, if it is as lists are.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::crl::clawdentity::diagnose::LONGEST_REASON;
use crate::crl::clawdentity::issuer::Issuer;
use crate::format::clawdentity::{agent_did, is_ulid};
use crate::format::object::Object;
use crate::model::event::{Reason, Revocation};
use crate::model::key::{Key, KeyKind};
use crate::model::timestamp::Timestamp;
use crate::state::snapshot::{RevocationList, RevocationListBuilder};

/// Reads the claims of a list in a third of the time that [`diagnose`](super::diagnose) takes: each member is read as the
/// type that it should have, and texts are borrowed from the payload.
///
/// `None` for anything odd, be it wrong or only unusual (an escape in a text): what it is, `diagnose` finds out.
pub(super) fn read(payload: &str, issuer: &Issuer, now: Timestamp) -> Option<RevocationList> {
    // DIDs are compared with the prefix as a whole, so that it has to be one.
    agent_did(&format!("{}{ZEROS}", issuer.did_prefix)).ok()?;
    let mut claims = Claims {
        issuer,
        has_iss: false,
        has_jti: false,
        iat: None,
        exp: None,
        entries: 0,
        list: RevocationList::builder(now).with_capacity(KeyKind::Token, payload.len() / USUAL_ENTRY),
    };
    let mut json = serde_json::Deserializer::from_str(payload);
    json.deserialize_map(&mut claims).ok()?;
    json.end().ok()?;
    claims.list(now)
}

/// What has been read of the claims, and the list that comes of it.
struct Claims<'i> {
    issuer: &'i Issuer,
    has_iss: bool,
    has_jti: bool,
    iat: Option<u64>,
    exp: Option<u64>,
    entries: usize,
    list: RevocationListBuilder,
}

impl Claims<'_> {
    /// The list, if nothing is missing.
    fn list(self, now: Timestamp) -> Option<RevocationList> {
        let (iat, exp) = (self.iat?, self.exp?);
        let is_whole = self.has_iss && self.has_jti && self.entries > 0;
        let is_valid = exp > iat && exp > now.as_unix_secs();
        (is_whole && is_valid).then(|| {
            self.list
                .with_issued_at(Timestamp::from_unix_secs(iat))
                .with_expiry(Timestamp::from_unix_secs(exp))
                .build()
        })
    }

    fn push(&mut self, entry: &ListedToken<'_>) -> Option<()> {
        let id = entry.agent_did.strip_prefix(self.issuer.did_prefix.as_str())?;
        // So many bytes hold no more UTF-16 units.
        let is_good = is_ulid(entry.jti) && is_ulid(id) && entry.reason.is_none_or(|text| text.len() <= LONGEST_REASON);
        let reason = match entry.reason {
            Some("reissued") => Reason::Superseded,
            _ => Reason::Unspecified,
        };
        let at = Timestamp::from_unix_secs(entry.revoked_at);
        self.entries += 1;
        is_good.then(|| {
            self.list
                .push(&Revocation::block(Key::token(entry.jti)).at(at).because(reason))
        })
    }
}

impl<'de> Visitor<'de> for &mut Claims<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the claims of a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut claims: A) -> Result<(), A::Error> {
        while let Some(name) = claims.next_key::<&'de str>()? {
            match name {
                "iss" if !self.has_iss => self.has_iss = good(claims.next_value::<&'de str>()? == self.issuer.name)?,
                "jti" if !self.has_jti => self.has_jti = good(!claims.next_value::<&'de str>()?.is_empty())?,
                "iat" if self.iat.is_none() => self.iat = Some(claims.next_value()?),
                "exp" if self.exp.is_none() => self.exp = Some(claims.next_value()?),
                "revocations" if self.entries == 0 => {
                    claims.next_value_seed(Revocations(self))?;
                    good(self.entries > 0)?;
                }
                _ => return Err(odd()),
            }
        }
        Ok(())
    }
}

/// Streams the entries into the list.
struct Revocations<'c, 'i>(&'c mut Claims<'i>);

impl<'de> DeserializeSeed<'de> for Revocations<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Revocations<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(Object(entry)) = entries.next_element::<Object<ListedToken<'de>>>()? {
            self.0.push(&entry).ok_or_else(odd)?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListedToken<'a> {
    jti: &'a str,
    #[serde(rename = "agentDid")]
    agent_did: &'a str,
    #[serde(default, borrow, deserialize_with = "stated")]
    reason: Option<&'a str>,
    #[serde(rename = "revokedAt")]
    revoked_at: u64,
}

/// Null is no text.
fn stated<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de str>, D::Error> {
    <&str>::deserialize(deserializer).map(Some)
}

/// What is not good is odd at once: a second, better value must not take its place.
fn good<E: Error>(is_good: bool) -> Result<bool, E> {
    if is_good { Ok(true) } else { Err(odd()) }
}

fn odd<E: Error>() -> E {
    E::custom("odd")
}

/// The smallest ULID.
const ZEROS: &str = "00000000000000000000000000";

/// The length of a usual entry in bytes: a list of so many bytes for each entry is indexed without growing.
const USUAL_ENTRY: usize = 150;
