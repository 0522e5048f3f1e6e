//! What a logout token says.

use serde::Deserialize;
use serde_json::Value;

use crate::format::object::Object;
use crate::jose::numeric_date;
use crate::logout::logout_error::LogoutError;
use crate::model::timestamp::Timestamp;

/// Says which session ended, of which user: the claims of a logout token ([Back-Channel Logout 1.0
/// §2.4](https://openid.net/specs/openid-connect-backchannel-1_0.html#LogoutToken)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutToken {
    /// `iss`.
    pub issuer: String,
    /// `aud`: the clients that are told.
    pub audiences: Vec<String>,
    /// `iat`.
    pub issued_at: Timestamp,
    /// `exp`.
    pub expires_at: Option<Timestamp>,
    /// `sid`: the session. Any text, compared to the byte.
    pub session: Option<String>,
    /// `sub`: the user. Any text, compared to the byte.
    pub subject: Option<String>,
}

impl LogoutToken {
    /// Reads the claims, whoever signed them. Checks the form that they have by themselves, and nothing that depends on who reads them.
    pub(super) fn read(claims: &[u8]) -> Result<Self, LogoutError> {
        let read = serde_json::from_slice::<Object<LogoutClaims>>(claims);
        let Object(claims) = read.map_err(|error| LogoutError::new("claims", format!("are not readable: {error}")))?;
        // What makes it a logout token. ID tokens of the same key may have the same header.
        match claims.events {
            Some(Value::Object(events)) => match events.get(EVENT) {
                Some(Value::Object(_)) => {}
                Some(_) => {
                    return Err(LogoutError::new(
                        "events",
                        "has no object for the event of back-channel logout",
                    ));
                }
                None => return Err(LogoutError::new("events", "lacks the event of back-channel logout")),
            },
            Some(_) => return Err(LogoutError::new("events", "is not an object")),
            None => return Err(LogoutError::new("events", "is missing: it is no logout token")),
        }
        if claims.nonce.is_some() {
            return Err(LogoutError::new("nonce", "is there: it is no logout token"));
        }
        let (session, subject) = (id("sid", claims.sid)?, id("sub", claims.sub)?);
        if session.is_none() && subject.is_none() {
            return Err(LogoutError::new("sid", "is missing, and so is sub"));
        }
        Ok(Self {
            issuer: id("iss", claims.iss)?.ok_or_else(|| LogoutError::new("iss", MISSING))?,
            audiences: audiences(claims.aud)?,
            issued_at: date("iat", claims.iat)?.ok_or_else(|| LogoutError::new("iat", MISSING))?,
            expires_at: date("exp", claims.exp)?,
            session,
            subject,
        })
    }
}

#[derive(Deserialize)]
struct LogoutClaims {
    iss: Option<Value>,
    aud: Option<Value>,
    iat: Option<Value>,
    exp: Option<Value>,
    sid: Option<Value>,
    sub: Option<Value>,
    events: Option<Value>,
    /// Null too is one.
    #[serde(default, deserialize_with = "some")]
    nonce: Option<Value>,
}

fn some<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn id(field: &'static str, value: Option<Value>) -> Result<Option<String>, LogoutError> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(LogoutError::new(field, "is not a string with something in it")),
    }
}

/// A string, or an array of these ([RFC 7519 §4.1.3](https://www.rfc-editor.org/rfc/rfc7519#section-4.1.3)).
fn audiences(value: Option<Value>) -> Result<Vec<String>, LogoutError> {
    let each = match value {
        None => return Err(LogoutError::new("aud", MISSING)),
        Some(Value::Array(each)) => each,
        Some(one) => vec![one],
    };
    let text = |one| match one {
        Value::String(text) => Ok(text),
        _ => Err(LogoutError::new("aud", "is neither a string nor an array of strings")),
    };
    each.into_iter().map(text).collect()
}

fn date(field: &'static str, value: Option<Value>) -> Result<Option<Timestamp>, LogoutError> {
    let Some(value) = value else { return Ok(None) };
    let date = value.as_f64().and_then(numeric_date);
    date.map(Some)
        .ok_or_else(|| LogoutError::new(field, "is not a date in seconds since the epoch"))
}

/// The event's type, which begins with `http:`.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

const MISSING: &str = "is missing";
