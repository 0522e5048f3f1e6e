//! CloudEvents in binary mode: attributes in the headers of a message, and the data as its body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// Returns the event as it is in structured JSON, which decoders read
/// ([CloudEvents 1.0, JSON format](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md)); `None` if
/// the attributes are not those of an event. They come without the prefix that they have as headers.
pub(crate) fn structured(
    attributes: impl IntoIterator<Item = (String, String)>,
    content_type: Option<&str>,
    data: &[u8],
) -> Option<Vec<u8>> {
    let mut event: Map<String, Value> = attributes
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), Value::from(value)))
        // They are no attributes, and would take the place of the body.
        .filter(|(name, _)| name != "data" && name != "data_base64")
        .collect();
    event.get("specversion")?;
    if let Some(content_type) = content_type {
        event.insert("datacontenttype".to_owned(), content_type.into());
    }
    let (name, value) = match serde_json::from_slice(data) {
        Ok(value) => ("data", value),
        Err(_) => ("data_base64", STANDARD.encode(data).into()),
    };
    event.insert(name.to_owned(), value);
    Some(serde_json::to_vec(&event).expect("texts serialize"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(attributes: &[(&str, &str)], content_type: Option<&str>, data: &[u8]) -> Option<Value> {
        let attributes = attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        structured(attributes, content_type, data).map(|event| serde_json::from_slice(&event).unwrap())
    }

    #[test]
    fn headers_become_attributes_and_the_body_the_data() {
        let event = written(
            &[("SpecVersion", "1.0"), ("id", "7"), ("data", "another")],
            Some("application/json"),
            br#"{"keys":[]}"#,
        );
        assert_eq!(
            event.unwrap(),
            serde_json::json!({"specversion": "1.0", "id": "7", "datacontenttype": "application/json", "data": {"keys": []}})
        );
        let event = written(&[("specversion", "1.0")], None, b"\xff").unwrap();
        assert_eq!(event, serde_json::json!({"specversion": "1.0", "data_base64": "/w=="}));
        assert_eq!(written(&[("id", "7")], None, b"{}"), None);
    }
}
