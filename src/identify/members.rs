//! The members of a token's header and payload that stand for keys, read without an allocation.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::model::credential::Credential;
use crate::model::key::Key;
use crate::model::timestamp::Timestamp;

/// A member's name, and the kind of key that its value names.
#[derive(Clone)]
pub(crate) struct Claim {
    name: Cow<'static, str>,
    make: Arc<MakeKey>,
}

/// Makes a key of an id, such as [`Key::token`].
type MakeKey = dyn Fn(&str) -> Key + Send + Sync;

impl Claim {
    pub(crate) fn new(name: impl Into<Cow<'static, str>>, make: impl Fn(&str) -> Key + Send + Sync + 'static) -> Self {
        Self {
            name: name.into(),
            make: Arc::new(make),
        }
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The members of a JSON object that stand for keys, and where to put them.
pub(crate) struct Members<'a> {
    pub(crate) claims: &'a [Claim],
    pub(crate) credential: &'a mut Credential,
    pub(crate) issued_at: &'a mut Option<Timestamp>,
}

impl Members<'_> {
    /// Reads a JSON text. `None` if it isn't an object, or one of the named members can't be read.
    pub(crate) fn read(self, json: &[u8]) -> Option<()> {
        let mut json = serde_json::Deserializer::from_slice(json);
        self.deserialize(&mut json).ok()?;
        json.end().ok()
    }
}

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(member) = map.next_key_seed(MemberName(self.claims))? {
            match member {
                Member::Key(make) => map.next_value_seed(Ids {
                    make,
                    credential: self.credential,
                })?,
                Member::IssuedAt => {
                    let date = map.next_value_seed(NumericDate)?;
                    *self.issued_at = match *self.issued_at {
                        Some(earlier) => Some(earlier.min(date)),
                        None => Some(date),
                    };
                }
                // An actor's date is not the token's.
                Member::Actor => map.next_value_seed(Members {
                    claims: self.claims,
                    credential: self.credential,
                    issued_at: &mut None,
                })?,
                Member::Other => map.next_value_seed(Skip)?,
            }
        }
        Ok(())
    }
}

/// What a member's name says about its value.
enum Member<'c> {
    Actor,
    IssuedAt,
    Key(&'c MakeKey),
    Other,
}

struct MemberName<'a>(&'a [Claim]);

impl<'de, 'c> DeserializeSeed<'de> for MemberName<'c> {
    type Value = Member<'c>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Member<'c>, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<'c> Visitor<'_> for MemberName<'c> {
    type Value = Member<'c>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Member<'c>, E> {
        let known = self.0.iter().find(|claim| claim.name == name);
        Ok(match (known, name) {
            (Some(claim), _) => Member::Key(&*claim.make),
            (None, "iat") => Member::IssuedAt,
            (None, "act") => Member::Actor,
            (None, _) => Member::Other,
        })
    }
}

/// A string, an array of strings, or null: ids of one kind.
struct Ids<'a> {
    make: &'a MakeKey,
    credential: &'a mut Credential,
}

impl<'de> DeserializeSeed<'de> for Ids<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Ids<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of strings")
    }

    fn visit_str<E: Error>(self, id: &str) -> Result<(), E> {
        if self.credential.len() >= MOST_KEYS {
            return Err(E::custom("more keys than anybody needs"));
        }
        self.credential.push((self.make)(id));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut ids: A) -> Result<(), A::Error> {
        let Self { make, credential } = self;
        while ids.next_element_seed(Ids { make, credential })?.is_some() {}
        Ok(())
    }
}

/// How many keys one token may present. Its sender has proved nothing yet, and each key costs a look-up.
pub(crate) const MOST_KEYS: usize = 256;

/// Seconds since the epoch, perhaps with a fraction ([RFC 7519 §2](https://www.rfc-editor.org/rfc/rfc7519#section-2)),
/// rounded down: a token should rather count as too old than as too young.
struct NumericDate;

impl<'de> DeserializeSeed<'de> for NumericDate {
    type Value = Timestamp;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Timestamp, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for NumericDate {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of seconds since the epoch")
    }

    fn visit_u64<E>(self, secs: u64) -> Result<Timestamp, E> {
        Ok(Timestamp::from_unix_secs(secs))
    }

    fn visit_i64<E>(self, secs: i64) -> Result<Timestamp, E> {
        Ok(Timestamp::from_unix_secs(u64::try_from(secs).unwrap_or(0)))
    }

    fn visit_f64<E: Error>(self, secs: f64) -> Result<Timestamp, E> {
        if !secs.is_finite() {
            return Err(E::custom("date is not finite"));
        }
        // The cast saturates, also at zero.
        Ok(Timestamp::from_unix_secs(secs.floor() as u64))
    }
}

/// Skips any value. `IgnoredAny` would do the same, but `serde_json` allocates to skip an object with it.
#[derive(Clone, Copy)]
struct Skip;

impl<'de> DeserializeSeed<'de> for Skip {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skip {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key_seed(Self)?.is_some() {
            map.next_value_seed(Self)?;
        }
        Ok(())
    }
}
