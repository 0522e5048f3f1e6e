//! Members of an event.

use crate::format::revocation::member_tree::{MemberValue, Members};
use crate::model::decode::DecodeError;
use crate::model::timestamp::Timestamp;

/// Returns a member that has to be a text with something in it.
pub(super) fn text<'m>(members: &'m Members<'_>, name: &str, field: &'static str) -> Result<&'m str, DecodeError> {
    match members.get(name) {
        Some(MemberValue::Text(text)) if !text.is_empty() => Ok(text),
        None => Err(DecodeError::new(field, "is missing")),
        Some(_) => Err(DecodeError::new(field, "is not a string with something in it")),
    }
}

/// Returns a member that may be a time.
pub(super) fn time(members: &Members<'_>, name: &str, field: &'static str) -> Result<Option<Timestamp>, DecodeError> {
    let stated = match members.get(name) {
        None | Some(MemberValue::Null) => return Ok(None),
        Some(MemberValue::Text(stated)) => stated,
        Some(_) => return Err(DecodeError::new(field, "is not a string")),
    };
    let time: Result<jiff::Timestamp, _> = stated.parse();
    let time = time.map_err(|cause| DecodeError::new(field, "is not a time of RFC 3339").because(cause))?;
    let millis = u64::try_from(time.as_millisecond());
    Ok(Some(Timestamp::from_unix_millis(millis.unwrap_or_default())))
}

/// Returns a time in milliseconds, in UTC ([RFC 3339](https://www.rfc-editor.org/rfc/rfc3339)); the last one that this can state,
/// for any later.
pub(super) fn rfc3339(at: Timestamp) -> String {
    let millis = i64::try_from(at.as_unix_millis()).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    format!("{time:.3}")
}
