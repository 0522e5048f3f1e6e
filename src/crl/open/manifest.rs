//! What a list says of itself.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::crl::list::ListError;
use crate::crl::open::section::{ListSection, ListedRow, SMALLEST_ENTRY};
use crate::format::object::Object;
use crate::jose::numeric_date;
use crate::model::log_place::LogPosition;
use crate::model::timestamp::Timestamp;

/// What a list says of itself: all of it is signed.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    pub(crate) issuer: String,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) generation: String,
    pub(crate) covers: Vec<LogPosition>,
    pub(crate) sections: Vec<ListSection>,
    /// That of the body.
    pub(crate) digest: [u8; 32],
}

impl Manifest {
    /// Reads the JSON of one.
    pub(crate) fn read(json: &[u8]) -> Result<Self, ListError> {
        let stated = serde_json::from_slice::<Object<StatedManifest>>(json);
        let Object(stated) =
            stated.map_err(|cause| ListError::invalid("manifest", "is not readable").because(cause))?;
        let date = |field, secs: f64| numeric_date(secs).ok_or_else(|| ListError::invalid(field, NOT_A_DATE));
        if stated.generation.is_empty() {
            return Err(ListError::invalid("generation", "is empty"));
        }
        let mut digest = [0; 32];
        match URL_SAFE_NO_PAD.decode_slice(&stated.digest, &mut digest) {
            Ok(32) => {}
            _ => return Err(ListError::invalid("digest", "is not 32 bytes in base64url")),
        }
        let mut covers = Vec::with_capacity(stated.covers.len());
        for (nth, Object(covered)) in stated.covers.iter().enumerate() {
            let position = covered
                .position()
                .map_err(|member| ListError::invalid(format!("covers[{nth}].{member}"), NOT_BYTES))?;
            if covers.iter().any(|known: &LogPosition| known.log == position.log) {
                return Err(ListError::invalid(format!("covers[{nth}].log"), "is stated twice"));
            }
            covers.push(position);
        }
        Ok(Self {
            issued_at: date("iat", stated.iat)?,
            expires_at: stated.exp.map(|exp| date("exp", exp)).transpose()?,
            issuer: stated.iss,
            generation: stated.generation,
            covers,
            sections: stated.sections.into_iter().map(|Object(section)| section).collect(),
            digest,
        })
    }

    /// Writes it as JSON.
    pub(crate) fn write(&self) -> Vec<u8> {
        let stated = WrittenManifest {
            iss: &self.issuer,
            iat: secs(self.issued_at),
            exp: self.expires_at.map(secs),
            generation: &self.generation,
            covers: self.covers.iter().map(Covered::of).collect(),
            sections: &self.sections,
            digest: URL_SAFE_NO_PAD.encode(self.digest),
        };
        serde_json::to_vec(&stated).expect("texts and numbers are written to memory")
    }

    /// Checks that the body is the one that is meant, and hands all that it says to `each`: first how many entries of a kind there
    /// are at most, then each of them.
    pub(crate) fn read_body<'m>(
        &'m self,
        body: &'m [u8],
        mut each: impl FnMut(ListedRow<'m>),
    ) -> Result<(), ListError> {
        if Sha256::digest(body)[..] != self.digest {
            return Err(ListError::invalid("body", "is not the one of the manifest"));
        }
        let mut rest = body;
        for (nth, section) in self.sections.iter().enumerate() {
            let invalid = |member, problem| ListError::invalid(format!("sections[{nth}].{member}"), problem);
            let length = usize::try_from(section.bytes).ok();
            let (bytes, behind) = length
                .and_then(|length| rest.split_at_checked(length))
                .ok_or_else(|| invalid("bytes", "is more than there is"))?;
            if section.count > section.bytes / SMALLEST_ENTRY {
                return Err(invalid("count", "is more than there is"));
            }
            section.read(nth, bytes, &mut each)?;
            rest = behind;
        }
        match rest {
            [] => Ok(()),
            _ => Err(ListError::invalid("sections", "are less than the body")),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedManifest {
    iss: String,
    iat: f64,
    exp: Option<f64>,
    generation: String,
    covers: Vec<Object<Covered>>,
    sections: Vec<Object<ListSection>>,
    digest: String,
}

#[derive(Serialize)]
struct WrittenManifest<'m> {
    iss: &'m str,
    iat: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<f64>,
    generation: &'m str,
    covers: Vec<Covered>,
    sections: &'m [ListSection],
    digest: String,
}

/// How much of a log is taken into account.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Covered {
    log: String,
    n: u64,
    digest: String,
}

impl Covered {
    fn of(position: &LogPosition) -> Self {
        Self {
            log: position.log.to_string(),
            n: position.n,
            digest: position.digest.to_string(),
        }
    }

    /// Returns what is meant; or the member at fault.
    fn position(&self) -> Result<LogPosition, &'static str> {
        Ok(LogPosition {
            log: self.log.parse().map_err(|_| "log")?,
            n: self.n,
            digest: self.digest.parse().map_err(|_| "digest")?,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "dates beyond are no dates")]
fn secs(at: Timestamp) -> f64 {
    at.as_unix_millis() as f64 / 1000.0
}

const NOT_A_DATE: &str = "is not a date in seconds since the epoch";
const NOT_BYTES: &str = "is not 16 bytes in base64url";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_kept_to_the_millisecond() {
        for millis in [0, 1, 999, 1_767_225_720_123, 4_102_444_799_999, 253_402_300_799_999] {
            let at = Timestamp::from_unix_millis(millis);
            assert_eq!(numeric_date(secs(at)), Some(at), "{millis}");
            let text = serde_json::to_string(&secs(at)).unwrap();
            assert_eq!(numeric_date(serde_json::from_str(&text).unwrap()), Some(at), "{text}");
        }
        for secs in [-0.001, 253_402_300_800.0, f64::INFINITY, f64::NAN] {
            assert_eq!(numeric_date(secs), None, "{secs}");
        }
    }
}
