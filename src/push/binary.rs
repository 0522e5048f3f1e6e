//! CloudEvents whose attributes are in the headers.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use percent_encoding::percent_decode;

use crate::format::binary_mode::structured;

/// Returns what was pushed as decoders read it: an event in binary mode
/// ([CloudEvents 1.0, HTTP, section 3.1](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#31-binary-content-mode))
/// in structured JSON, everything else as it is. For pushes whose sender is known by a token alone: a signature covers the body, and
/// not what the headers say.
pub(super) fn as_structured<'b>(headers: &HeaderMap, body: &'b [u8]) -> Cow<'b, [u8]> {
    if !headers.contains_key("ce-specversion") {
        return body.into();
    }
    let attributes = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix("ce-")?;
        let value = percent_decode(value.as_bytes()).decode_utf8_lossy();
        Some((name.to_owned(), value.into_owned()))
    });
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    structured(attributes, content_type, body).map_or_else(|| body.into(), Cow::from)
}
