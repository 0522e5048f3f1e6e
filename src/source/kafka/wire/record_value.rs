//! What a record says.

use bytes::Bytes;

use crate::format::binary_mode::structured;
use crate::source::error::SourceError;
use crate::source::kafka::wire::batch::KafkaRecord;
use crate::source::kafka::wire::bytes_reader::BytesReader;

/// Returns what was published; an event in CloudEvents' binary mode
/// ([Kafka, section 3.2](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md#32-binary-content-mode))
/// as decoders read it.
pub(crate) fn value_of(record: KafkaRecord) -> Bytes {
    let value = record.value.unwrap_or_default();
    let headers = record
        .headers
        .and_then(|headers| read(headers).ok())
        .unwrap_or_default();
    let is_content_type = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("content-type");
    let content_type = headers.iter().find(is_content_type).map(|(_, value)| value.clone());
    let attributes = headers
        .into_iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("ce_")?.to_owned(), value)));
    structured(attributes, content_type.as_deref(), &value).map_or(value, Bytes::from)
}

fn read(headers: Bytes) -> Result<Vec<(String, String)>, SourceError> {
    let mut reader = BytesReader::new(headers, false);
    let count = reader.varint()?;
    let mut headers = Vec::new();
    for _ in 0..count {
        let mut text = || {
            reader
                .varint_bytes()
                .map(|text| String::from_utf8_lossy(&text.unwrap_or_default()).into_owned())
        };
        headers.push((text()?, text()?));
    }
    Ok(headers)
}
